"""The service over HTTP: one FastAPI app, alone or inside the LangGraph server."""
