"""What waits for a person, and what they decide."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from agent.consent import Decision
from service.http.bodies import Page, RunBody, RunId, Waiting
from service.http.callers import Authenticated
from service.http.owned import run_of, waiting_of
from service.http.problems import Problem
from service.http.services import Shared
from service.runs.records import NotWaiting, WrongDecisions
from service.threads.store import ThreadStore

router = APIRouter(prefix="/api", tags=["Approvals"])


class Decisions(BaseModel):
    """What a person decided."""

    model_config = ConfigDict(extra="forbid")

    decisions: list[Decision] = Field(
        description="One for each action, in order.",
        examples=[[{"type": "approve"}, {"type": "reject", "message": "not today"}]],
    )


@router.get("/approvals")
async def list_approvals(shared: Shared, caller: Authenticated) -> Page[Waiting]:
    """List what waits for you, the oldest first."""
    threads = ThreadStore(shared.database)
    items = []
    for run in await shared.runner.store.waiting(caller.owner):
        thread = await threads.get(run.thread_id, caller.owner)
        waiting = await waiting_of(run, thread, shared) if thread else None
        if waiting:
            items.append(waiting)
    return Page(items=items)


@router.post("/runs/{run_id}/decisions", status_code=202)
async def decide(run_id: RunId, given: Decisions, shared: Shared, caller: Authenticated) -> RunBody:
    """Decide on what a run waits for. The same run goes on, and so do the numbers of its events."""
    run = await run_of(run_id, shared, caller)
    decisions: list[dict[str, Any]] = [decision.model_dump() for decision in given.decisions]
    try:
        return RunBody.model_validate(await shared.runner.decide(run, decisions))
    except NotWaiting as error:
        raise Problem(409, str(error), code="not_waiting") from None
    except WrongDecisions as error:
        raise Problem(422, str(error), code="invalid", param="decisions") from None
