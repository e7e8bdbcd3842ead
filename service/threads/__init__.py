"""Threads of conversation: whose they are, what was said in them, and copies of them."""
