"""What only an administrator may do on a server. From Python and the command line, everybody is one."""

from __future__ import annotations

from langgraph.config import get_config

from agent.errors import SelfhelpError

# The permission that the service's `auth` gives to administrators.
ADMIN = "admin"


def refuse_others(what: str) -> None:
    """Refuse a run of whom a server has let in as anybody but an administrator. It is called within a node.

    Args:
        what: what they are refused.

    Raises:
        SelfhelpError: they are none.
    """
    # Both LangGraph's server and Aegra put it there, whatever a client sends.
    user = get_config()["configurable"].get("langgraph_auth_user")
    if user is not None and ADMIN not in getattr(user, "permissions", ()):
        raise SelfhelpError(f"only an admin may {what}: ask with an admin's key")
