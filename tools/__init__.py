"""The tools: one module per tool or source of tools, and the registry that brings them together."""
