"""Models: providers, the two planner protocols, and what is done to a reply on its way."""
