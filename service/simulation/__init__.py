"""What traffic on record would have cost with other models and settings."""
