"""The graphs: small files that only wire."""
