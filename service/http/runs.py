"""Runs: started, streamed, joined and cancelled."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from service.http.bodies import After, LastEventId, NewRun, RunBody, RunId, ThreadId, Waiting
from service.http.callers import Authenticated
from service.http.limits import too_many_runs
from service.http.owned import run_of, thread_of, waiting_of
from service.http.personas import check_persona
from service.http.problems import Problem, not_found
from service.http.services import Shared
from service.http.streams import EVENT_STREAM, EVENTS, last_seen, stream
from service.runs.records import Busy, NoThread, TooMany
from service.threads.messages import Message

router = APIRouter(prefix="/api", tags=["Runs"])

Stream = Annotated[bool, Query(alias="stream", description="Whether to return the run's events.", examples=[False])]
Accept = Annotated[str, Header(description="text/event-stream does the same as stream.", examples=[EVENT_STREAM])]


class EndedRun(RunBody):
    """A run that has ended, or waits."""

    message: Message | None = Field(description="The answer, if there is one.", examples=[None])
    waiting: Waiting | None = Field(description="What it waits for, if it does.", examples=[None])


@router.post("/threads/{thread_id}/runs", status_code=202, response_model=RunBody, responses=EVENTS)
async def create_run(
    thread_id: ThreadId,
    new: NewRun,
    shared: Shared,
    caller: Authenticated,
    as_stream: Stream = False,
    accept: Accept = "*/*",
) -> Any:
    """Ask a question. The run goes on whether or not anybody listens; with `?stream=true` its events are returned."""
    thread = await thread_of(thread_id, shared, caller)
    await check_persona(new.context.persona, shared.settings)
    context = (
        {"persona": thread.persona or shared.settings.persona}
        | new.context.model_dump(exclude_none=True)
        | caller.context
    )
    try:
        run = await shared.runner.start(
            thread_id,
            caller.owner,
            new.text,
            context,
            key_id=caller.key,
            queue=new.if_busy == "queue",
            most=caller.concurrent,
        )
    except NoThread:
        raise not_found("thread") from None
    except Busy as error:
        raise Problem(409, str(error), code="busy") from None
    except TooMany as error:
        raise too_many_runs(error) from None
    if as_stream or EVENT_STREAM in accept:
        return stream(shared.runner, run.id, 0)
    return RunBody.model_validate(run)


@router.get("/runs/{run_id}")
async def get_run(run_id: RunId, shared: Shared, caller: Authenticated) -> RunBody:
    """Return a run."""
    return RunBody.model_validate(await run_of(run_id, shared, caller))


@router.get("/runs/{run_id}/events", response_class=Response, responses=EVENTS)
async def follow_run(
    run_id: RunId, shared: Shared, caller: Authenticated, last_event_id: LastEventId = None, after: After = None
) -> Response:
    """Follow a run: server-sent events from its first, or behind the last that was seen, until event `end`."""
    await run_of(run_id, shared, caller)
    return stream(shared.runner, run_id, last_seen(last_event_id, after))


@router.get("/runs/{run_id}/join")
async def join_run(run_id: RunId, shared: Shared, caller: Authenticated) -> EndedRun:
    """Wait until a run has ended or waits for a person, and return what came of it."""
    await run_of(run_id, shared, caller)
    answer = await shared.runner.join(run_id)
    run = await run_of(run_id, shared, caller)
    thread = await thread_of(run.thread_id, shared, caller)
    return EndedRun(
        **vars(RunBody.model_validate(run)),
        message=Message(**answer) if answer else None,
        waiting=await waiting_of(run, thread, shared),
    )


@router.post("/runs/{run_id}/cancel")
async def cancel_run(run_id: RunId, shared: Shared, caller: Authenticated) -> RunBody:
    """Cancel a run. What it has done stays done."""
    await run_of(run_id, shared, caller)
    return RunBody.model_validate(await shared.runner.cancel(run_id))
