"""Plans: references between calls, the check before anything runs, and the DAG that runs them."""
