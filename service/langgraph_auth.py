"""Who may do what in the LangGraph server, which names `auth`: everybody has their own threads, assistants and store.

The service's middleware has let the caller in by then, with the same keys and tokens as everywhere.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from langgraph_sdk import Auth
from sqlalchemy import select

from agent.ledger.records import LOCAL
from service.http.callers import Caller, caller_of
from service.http.services import Services
from service.records.tables import threads

OWNER = "owner"

_SYSTEM = {"created_by": "system"}
_USER = "langgraph_auth_user_id"

auth = Auth()
_services: ContextVar[Services] = ContextVar("selfhelp_services")
_caller: ContextVar[Caller | None] = ContextVar("selfhelp_caller", default=None)


@auth.authenticate
async def authenticate(scope: dict[str, Any]) -> Auth.types.MinimalUserDict:
    """Say who calls."""
    caller = caller_of(scope)
    _caller.set(caller)
    _services.set(scope["app"].state.services)
    return {"identity": caller.owner, "display_name": caller.owner, "is_authenticated": True}


@auth.on
async def refuse(ctx: Auth.types.AuthContext, value: Any) -> bool:  # noqa: ARG001 - LangGraph calls it by name
    """Refuse what no handler below is for."""
    return False


@auth.on.threads
async def own_threads(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    """Keep threads and their runs to their owner, and have runs act for whoever started them."""
    owner = ctx.user.identity
    if ctx.action == "create_run":
        _act_for(_who_is(owner), value["kwargs"])
    if ctx.action == "create" or value.get("if_not_exists") == "create":
        await _refuse_others_thread(owner, value.get("thread_id"))
    if ctx.action in ("create", "create_run", "update"):
        _sign(owner, value)
    return {OWNER: owner}


@auth.on.crons
async def own_crons(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    """Keep crons to their owner. Their runs pass `own_threads` when they start."""
    if ctx.action in ("create", "update"):
        _sign(ctx.user.identity, value)
    return {OWNER: ctx.user.identity}


@auth.on.assistants
async def own_assistants(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    """Keep assistants to their owner, but for those of the graphs themselves, which everybody may use."""
    own = {OWNER: ctx.user.identity}
    if ctx.action in ("read", "search"):
        return {"$or": [own, _SYSTEM]}
    if ctx.action in ("create", "update"):
        _sign(ctx.user.identity, value)
    return own


@auth.on.store
async def own_store(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Have everybody work below a namespace of their own."""
    own = quote(ctx.user.identity, safe="").replace(".", "%2E")  # a label may hold no point
    namespace = tuple(value.get("namespace") or ())
    value["namespace"] = namespace if namespace[:1] == (own,) else (own, *namespace)


def _who_is(owner: str) -> Caller:
    """Return who calls; for a cron's run, which nobody calls, its owner without a key."""
    caller = _caller.get()
    return caller if caller and caller.owner == owner else Caller(owner)


def _act_for(caller: Caller, run: dict[str, Any]) -> None:
    """Set a run's owner and key, whatever the client said of them."""
    run["context"] = {**(run.get("context") or {}), **caller.context}
    configurable = (run.get("config") or {}).get("configurable")
    if configurable is not None:
        configurable |= caller.context


def _sign(owner: str, value: dict[str, Any]) -> None:
    metadata = value.setdefault("metadata", {})
    if metadata is None:
        metadata = value["metadata"] = {}
    metadata[OWNER] = owner
    # LangGraph writes this of its own assistants, and everybody may read those.
    if metadata.get("created_by") == _SYSTEM["created_by"]:
        del metadata["created_by"]


async def _refuse_others_thread(owner: str, thread_id: object) -> None:
    """Refuse the id of another's thread, which the service or an earlier process may have made in the same store."""
    if thread_id is None:
        return
    holder = await _holder(_services.get(), str(thread_id))
    if holder not in (None, owner):
        raise Auth.exceptions.HTTPException(409, f"Thread with ID {thread_id} already exists")


async def _holder(services: Services, thread_id: str) -> str | None:
    async with services.database.connect() as connection:
        found = await connection.scalar(select(threads.c.owner).where(threads.c.id == thread_id))
    if found is not None:
        return str(found)
    checkpoint = await services.checkpointer.aget_tuple({"configurable": {"thread_id": thread_id}})
    if checkpoint is None:
        return None
    # One that nobody signed is of a time, or a program, that knew no owners.
    return str(checkpoint.metadata.get(OWNER) or checkpoint.metadata.get(_USER) or LOCAL)
