"""Chat completions: the client holds the conversation and sends it whole each time."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from agent.state import question_of
from service.conversation import StepEvent, Token
from service.http.callers import Authenticated, Caller
from service.http.openai.answering import Answering, ListSources, unless_left
from service.http.openai.chat_models import (
    REFUSED,
    AnswerMessage,
    ChatCompletion,
    ChatRequest,
    ChatUsage,
    Choice,
    chunk,
)
from service.http.openai.errors import OpenAIRoute, error_of, refuse
from service.http.openai.history import messages_of
from service.http.openai.models import context_of
from service.http.openai.records import Asked
from service.http.openai.sources import Annotation
from service.http.openai.turns import Turn
from service.http.openai.wire import STREAMED
from service.http.problems import Problem
from service.http.services import Services, Shared
from service.http.streams import event_stream

Progress = Literal["none", "comments"]
ShowProgress = Annotated[
    Progress,
    Header(
        alias="X-Selfhelp-Progress",
        description="Whether a stream tells of tool calls, in SSE comments.",
        examples=["comments"],
    ),
]

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=OpenAIRoute)


@router.post("/chat/completions", response_model=ChatCompletion, responses=STREAMED)
async def create_chat_completion(
    asked: ChatRequest,
    request: Request,
    shared: Shared,
    caller: Authenticated,
    sources: ListSources = "list",
    progress: ShowProgress = "none",
) -> ChatCompletion | StreamingResponse:
    """Answer the last message of a conversation, whole or as a stream of chunks."""
    refuse(asked.model_extra, REFUSED)
    turn = await _turn(asked, shared, caller)
    answering = Answering(turn, sources)
    shell = {"id": f"chatcmpl-{turn.asked.id}", "created": int(time.time()), "model": asked.model}
    if asked.stream:
        return event_stream(_lines(answering, shell, asked, progress))
    ended = await unless_left(request, answering.whole())
    message = AnswerMessage(content=answering.text, annotations=_annotations(answering))
    choice = Choice(message=message, finish_reason=ended.finish_reason)
    return ChatCompletion(**shell, choices=[choice], usage=ChatUsage.of(ended.usage), selfhelp=ended.extension)


async def _turn(asked: ChatRequest, services: Services, caller: Caller) -> Turn:
    messages = messages_of(asked.messages, "messages")
    context = await context_of(services.settings, caller, asked.model, asked.temperature, asked.limit)
    return Turn(services, Asked(caller, question_of(messages), context), messages)


async def _lines(
    answering: Answering, shell: dict[str, Any], asked: ChatRequest, progress: Progress
) -> AsyncIterator[str]:
    """Yield the lines of the stream."""
    try:
        async for piece in _chunks(answering, shell, asked, progress):
            yield piece
    except Problem as problem:
        yield _line({"error": error_of(problem)})
        return
    yield "data: [DONE]\n\n"


async def _chunks(
    answering: Answering, shell: dict[str, Any], asked: ChatRequest, progress: Progress
) -> AsyncIterator[str]:
    counted = asked.stream_options is not None and asked.stream_options.include_usage
    shell = shell | {"usage": None} if counted else shell
    yield _line(chunk(shell, {"role": "assistant", "content": ""}))
    async for event in answering.events():
        if isinstance(event, Token):
            yield _line(chunk(shell, {"content": event.text}))
        elif not isinstance(event, StepEvent):
            yield ": still at work\n\n"
        elif progress == "comments":
            yield f": {json.dumps(asdict(event))}\n\n"
    ended = answering.ended
    assert ended is not None, "a turn that does not fail ends"
    if answering.citations:
        yield _line(chunk(shell, {"annotations": [each.model_dump() for each in _annotations(answering)]}))
    yield _line(chunk(shell, {}, ended.finish_reason) | {"selfhelp": ended.extension.model_dump()})
    if counted:
        usage = ChatUsage.of(ended.usage).model_dump()
        yield _line(shell | {"object": "chat.completion.chunk", "choices": [], "usage": usage})


def _annotations(answering: Answering) -> list[Annotation]:
    return [Annotation(url_citation=citation) for citation in answering.citations]


def _line(data: dict[str, Any]) -> str:
    # In ASCII: some clients end lines at characters such as U+2028.
    return f"data: {json.dumps(data)}\n\n"
