"""Groups of commands, a module for each. What they run is imported once they run: `--help` needs none of it."""
