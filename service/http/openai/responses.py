"""Responses: the service keeps the conversation, and each response goes on from the one before."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse

from agent.state import question_of
from service.conversation import StepEvent, Token
from service.http.callers import Authenticated, Caller
from service.http.openai import conversations
from service.http.openai.answering import Answering, ListSources, unless_left
from service.http.openai.conversations import KeptTurn
from service.http.openai.errors import OpenAIRoute, refuse
from service.http.openai.history import messages_of
from service.http.openai.models import context_of
from service.http.openai.records import Asked
from service.http.openai.response_models import (
    REFUSED,
    Deleted,
    Incomplete,
    OutputMessage,
    OutputText,
    Response,
    ResponseFailure,
    ResponseRequest,
    ResponseUsage,
    TextAnnotation,
)
from service.http.openai.turns import Ended, Turn
from service.http.openai.wire import STREAMED
from service.http.problems import Problem
from service.http.services import Services, Shared
from service.http.streams import event_stream

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=OpenAIRoute)

ResponseId = Annotated[str, Path(description="Id of the response.", examples=["resp_5be07d"])]


@router.post("/responses", response_model=Response, responses=STREAMED)
async def create_response(
    asked: ResponseRequest, request: Request, shared: Shared, caller: Authenticated, sources: ListSources = "list"
) -> Response | StreamingResponse:
    """Answer, whole or as a stream of events, and keep the conversation unless `store` is false."""
    refuse(asked.model_extra, REFUSED)
    turn = await _turn(asked, shared, caller)
    answering = Answering(turn, sources)
    begun = Response(
        id=f"resp_{turn.asked.id}",
        created_at=time.time(),
        store=isinstance(turn, KeptTurn),
        metadata=asked.metadata or {},
        **asked.model_dump(
            include={"model", "instructions", "previous_response_id", "temperature", "max_output_tokens"}
        ),
    )
    if asked.stream:
        return event_stream(_numbered(_events(turn, answering, begun)))
    await unless_left(request, answering.whole())
    return await _ended(turn, answering, begun)


@router.get("/responses/{response_id}")
async def get_response(response_id: ResponseId, shared: Shared, caller: Authenticated) -> Response:
    """Return a response that was kept."""
    return Response.model_validate((await conversations.find(shared, caller, response_id)).body)


@router.delete("/responses/{response_id}")
async def delete_response(response_id: ResponseId, shared: Shared, caller: Authenticated) -> Deleted:
    """Delete a response, and with the last one of a conversation all that was said in it."""
    await conversations.forget(shared, caller, response_id)
    return Deleted(id=response_id)


async def _turn(asked: ResponseRequest, services: Services, caller: Caller) -> Turn:
    messages = messages_of(asked.messages, "input")
    context = await context_of(services.settings, caller, asked.model, asked.temperature, asked.max_output_tokens)
    whose = Asked(caller, question_of(messages), context)
    previous_id = asked.previous_response_id
    previous = await conversations.find_previous(services, caller, previous_id) if previous_id else None
    if asked.store is not False:
        return await conversations.begin(services, whose, messages, previous)
    before = await conversations.said_until(services, previous) if previous else []
    return Turn(services, whose, [*before, *messages])


async def _ended(turn: Turn, answering: Answering, begun: Response) -> Response:
    """Return the response at its end, kept if it is to be."""
    ended = answering.ended
    assert ended is not None, "a turn that does not fail ends"
    response = begun.model_copy(
        update={
            "status": "completed" if ended.finish_reason == "stop" else "incomplete",
            "incomplete_details": _incomplete(ended),
            "output": [_message(begun, answering)],
            "usage": ResponseUsage.of(ended.usage),
            "selfhelp": ended.extension,
        }
    )
    if isinstance(turn, KeptTurn):
        await conversations.keep(turn.services, turn.asked, response, ended.last_message)
    return response


def _incomplete(ended: Ended) -> Incomplete | None:
    if ended.finish_reason == "stop":
        return None
    return Incomplete(reason="max_output_tokens" if ended.finish_reason == "length" else "content_filter")


def _message(begun: Response, answering: Answering) -> OutputMessage:
    annotations = [TextAnnotation(**citation.model_dump()) for citation in answering.citations]
    part = OutputText(text=answering.text, annotations=annotations)
    return OutputMessage(id=_message_id(begun), status="completed", content=[part])


def _message_id(response: Response) -> str:
    return response.id.replace("resp_", "msg_")


async def _events(turn: Turn, answering: Answering, begun: Response) -> AsyncIterator[dict[str, Any] | None]:
    """Yield the events of a stream; None where nothing has happened for a while."""
    yield {"type": "response.created", "response": begun.model_dump()}
    yield {"type": "response.in_progress", "response": begun.model_dump()}
    message = OutputMessage(id=_message_id(begun))
    of_part = {"item_id": message.id, "output_index": 0, "content_index": 0}
    yield {"type": "response.output_item.added", "output_index": 0, "item": message.model_dump()}
    yield {"type": "response.content_part.added", **of_part, "part": OutputText().model_dump()}
    try:
        async for event in answering.events():
            if isinstance(event, Token):
                yield {"type": "response.output_text.delta", **of_part, "delta": event.text, "logprobs": []}
            elif not isinstance(event, StepEvent):
                yield None
        response = await _ended(turn, answering, begun)
    except Problem as problem:
        failure = ResponseFailure(message=str(problem.detail))
        failed = begun.model_copy(update={"status": "failed", "error": failure})
        yield {"type": "response.failed", "response": failed.model_dump()}
        return
    [done] = response.output
    [part] = done.content
    for index, annotation in enumerate(part.annotations):
        added = {"annotation_index": index, "annotation": annotation.model_dump()}
        yield {"type": "response.output_text.annotation.added", **of_part, **added}
    yield {"type": "response.output_text.done", **of_part, "text": part.text, "logprobs": []}
    yield {"type": "response.content_part.done", **of_part, "part": part.model_dump()}
    yield {"type": "response.output_item.done", "output_index": 0, "item": done.model_dump()}
    yield {"type": f"response.{response.status}", "response": response.model_dump()}


async def _numbered(events: AsyncIterator[dict[str, Any] | None]) -> AsyncIterator[str]:
    number = 0
    async for event in events:
        if event is None:
            yield ": still at work\n\n"
            continue
        yield f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n"
        number += 1
