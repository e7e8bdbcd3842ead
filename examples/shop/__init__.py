"""A small outdoor-gear shop with documents, orders and tools: the company of the demo and of the tests."""
