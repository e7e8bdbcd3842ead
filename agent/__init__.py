"""The core: state, context, planning, the three nodes, models and knowledge."""
