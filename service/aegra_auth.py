"""Who may do what on Aegra, which names `auth`. It keeps threads, runs and store to their users by itself.

Aegra shows its handler the headers of a request alone, so nobody can be taken for a person at this machine: all need a
key or a token.
"""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

from service.http.app import app
from service.http.callers import Caller
from service.http.problems import Problem

auth = Auth()


@auth.authenticate
async def authenticate(headers: dict[str, str]) -> Auth.types.MinimalUserDict:
    """Say who calls."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    try:
        caller: Caller = await app.state.services.callers.of({"type": "http", "headers": raw})
    except Problem as problem:
        raise Auth.exceptions.HTTPException(problem.status_code, str(problem.detail)) from None
    return caller.user


@auth.on(resources="threads", actions="create_run")
async def act_for_the_caller(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Any:  # noqa: ARG001 - its name
    """Have a run act for whoever started it, whatever the client said of it: Aegra puts this over the request."""
    return {"context": ctx.user.context}  # type: ignore[attr-defined]  # what else it was told


@auth.on(resources="crons", actions=["create", "update"])
async def refuse_crons(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Any:  # noqa: ARG001 - its names
    """Refuse crons: Aegra starts their runs without asking, so they would act for anybody and outlive their key."""
    raise Auth.exceptions.HTTPException(403, "there are no crons here: have a scheduler of your own start the runs")
