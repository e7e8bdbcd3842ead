"""Who may do what in the LangGraph server, which names `auth`: everybody has their own threads, assistants and store.

The service's middleware has let the caller in by then, with the same keys and tokens as everywhere.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from langgraph_sdk import Auth
from sqlalchemy import select

from agent.ledger.records import LOCAL
from service.http.app import app
from service.http.callers import caller_of
from service.http.services import Services
from service.records.keys import Keys
from service.records.tables import threads

OWNER = "owner"

_SYSTEM = {"created_by": "system"}
_USER = "langgraph_auth_user"
_USER_ID = "langgraph_auth_user_id"

auth = Auth()


@auth.authenticate
async def authenticate(scope: dict[str, Any]) -> Auth.types.MinimalUserDict:
    """Say who calls."""
    return caller_of(scope).user


@auth.on
async def refuse(ctx: Auth.types.AuthContext, value: Any) -> bool:  # noqa: ARG001 - LangGraph calls it by name
    """Refuse what no handler below is for."""
    return False


@auth.on.threads
async def own_threads(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    """Keep threads and their runs to their owner, and have runs act for whoever started them."""
    owner = ctx.user.identity
    if ctx.action == "create_run":
        await _act_for(ctx.user, value["kwargs"])
    if ctx.action == "create" or value.get("if_not_exists") == "create":
        await _refuse_others_thread(owner, value.get("thread_id"))
    if ctx.action in ("create", "create_run", "update"):
        _sign(owner, value)
    return {OWNER: owner}


@auth.on.crons
async def own_crons(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    """Keep crons to their owner, and their runs, which pass `own_threads` as they start, to whoever made them."""
    if ctx.action in ("create", "update"):
        _sign(ctx.user.identity, value)
        _remember(ctx.user, value.get("payload"))
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


async def _act_for(user: Any, run: dict[str, Any]) -> None:
    """Set a run's owner and key, whatever the client said of them.

    Raises:
        HTTPException: a cron starts it whose maker is not let in any more.
    """
    configurable = (run.get("config") or {}).get("configurable")
    if configurable and "cron_id" in configurable:
        await _refuse_shut_out(user)
    context = user["context"]
    run["context"] = {**(run.get("context") or {}), **context}
    if configurable is not None:
        configurable |= context


async def _refuse_shut_out(user: Any) -> None:
    """Refuse a cron's run whose maker would not be let in any more. Of a token that cannot be told."""
    context, services = user.get("context"), _services()
    key = context and context["key_budget"]
    if key:
        let_in = await Keys(services.database).works(key["id"])
    elif user.identity == LOCAL:
        let_in = await services.callers.need_no_key()
    else:
        let_in = context is not None
    if not let_in:
        raise Auth.exceptions.HTTPException(403, "whoever made this cron is not let in any more")


def _remember(user: Any, payload: dict[str, Any] | None) -> None:
    """Note who makes a cron where LangGraph looks whom its runs act for. It takes that from no client."""
    if payload and payload.get("config") is not None:
        payload["config"].setdefault("configurable", {})[_USER] = dict(user)


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
    holder = await _holder(_services(), str(thread_id))
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
    return str(checkpoint.metadata.get(OWNER) or checkpoint.metadata.get(_USER_ID) or LOCAL)


def _services() -> Services:
    services: Services = app.state.services
    return services
