"""Grounding: which numbers, names and whole answers rest on nothing that was found, and which passages contradict."""
