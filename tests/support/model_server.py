"""A scripted OpenAI-compatible server: the only thing that tests fake.

It answers chat completions and responses, streamed as OpenAI does, one scripted reply a request. A request that no reply is left
for, and a reply that nobody asked for, both fail the test.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Body = dict[str, Any]

CHARACTERS_PER_TOKEN = 4

_NUMBERS = count(1)


@dataclass
class Reply:
    """One scripted reply.

    Args:
        text: what the model says.
        calls: tool calls, as name and arguments; arguments given as text are sent as they are, valid or not.
        status: HTTP status; anything but 200 is an error reply.
        cut: after how many pieces the connection is dropped, if it is.
        gate: waited for before the last piece, so that a test can look at what happens while the reply streams.
        check: looks at the request.
        cached: how many tokens of the prompt it says that it had kept, in chat completions.
        number: in the ids of its calls, by which no other reply's go.
        deltas: what it streams in chat completions instead, as servers do that keep less to OpenAI's ways.
    """

    text: str = ""
    calls: Sequence[tuple[str, dict[str, Any] | str]] = ()
    status: int = 200
    cut: int | None = None
    gate: threading.Event | None = None
    check: Callable[[Body], None] | None = None
    cached: int = 0
    number: int = field(default_factory=lambda: next(_NUMBERS))
    deltas: Sequence[Body] = ()


@dataclass
class ModelServer:
    """The server's script and what was asked of it.

    Args:
        first_token: seconds before the first piece.
        per_token: seconds between pieces.
    """

    first_token: float = 0.0
    per_token: float = 0.0
    script: list[Reply] = field(default_factory=list)
    requests: list[Body] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    repeat: Callable[[Body], Reply] | None = None
    port: int = 0

    @property
    def url(self) -> str:
        """Base address, as clients are given it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def will(self, *replies: Reply | str) -> None:
        """Add replies to the script; a text alone is an answer."""
        self.script += [Reply(reply) if isinstance(reply, str) else reply for reply in replies]

    def next(self, body: Body) -> Reply:
        """Take the reply for a request."""
        self.requests.append(body)
        if self.repeat:
            return self.repeat(body)
        if not self.script:
            self.errors.append(f"unexpected request {len(self.requests)}: {json.dumps(body)[:2000]}")
            return Reply(status=400)
        reply = self.script.pop(0)
        if reply.check:
            try:
                reply.check(body)
            except Exception as error:
                self.errors.append(f"request {len(self.requests)}: {error!r}")
        return reply

    def verify(self) -> None:
        """Fail if the script and the requests did not match."""
        assert not self.errors, "\n".join(self.errors)
        assert not self.script, f"{len(self.script)} scripted replies were never asked for"

    @contextmanager
    def scripted(self) -> Iterator[ModelServer]:
        """Serve one test: what it did not ask for, or asked for unexpectedly, fails it, and reaches no other."""
        try:
            yield self
            self.verify()
        finally:
            self.repeat, self.per_token = None, 0.0
            for record in (self.script, self.requests, self.errors):
                record.clear()


@contextmanager
def serve(server: ModelServer) -> Iterator[ModelServer]:
    """Run the server on loopback, on a port of its own."""

    async def chat(request: Request) -> Response:
        body = await request.json()
        return await _respond(server, body, chat_events, "/chat/completions")

    async def responses(request: Request) -> Response:
        body = await request.json()
        return await _respond(server, body, _response_events, "/responses")

    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/responses", responses, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run, daemon=True)
    started = threading.Event()
    original = runner.startup

    async def startup(*args: Any, **kwargs: Any) -> None:
        await original(*args, **kwargs)
        started.set()

    runner.startup = startup  # type: ignore[method-assign]
    thread.start()
    assert started.wait(60), "the scripted model server did not start"
    server.port = runner.servers[0].sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        runner.should_exit = True
        runner.force_exit = True
        thread.join(20)


async def _respond(server: ModelServer, body: Body, events: Callable[[Body, Reply], list[Body]], path: str) -> Response:
    reply = server.next(body)
    if reply.status != 200:
        return JSONResponse({"error": {"message": "scripted failure", "type": "scripted"}}, reply.status)
    assert body.get("stream"), f"{path} was asked without streaming"
    return StreamingResponse(_paced(server, reply, events(body, reply)), media_type="text/event-stream")


async def _paced(server: ModelServer, reply: Reply, events: list[Body]) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    begin = clock() + server.first_token
    for position, event in enumerate(events):
        if reply.cut is not None and position >= reply.cut:
            raise ConnectionAbortedError("scripted drop")
        if reply.gate and position == len(events) - 1:
            await asyncio.to_thread(reply.gate.wait, 60)
        # By the clock, since what each sleep lasts too long would add up to more than what benchmarks look for.
        await asyncio.sleep(begin + position * server.per_token - clock())
        name = f"event: {event['type']}\n" if "type" in event else ""
        yield f"{name}data: {json.dumps(event)}\n\n"
    yield "data: [DONE]\n\n"


def tokens(text: str) -> list[str]:
    """Cut a text into pieces about as long as a model's tokens."""
    return re.findall(r"\s*\S{1,5}|\s+", text)


def prompt(body: Body) -> str:
    """Write the prompt of a request in the order in which providers read it."""
    return json.dumps([body.get("tools"), body.get("messages") or body.get("input")])


def prompt_tokens(body: Body) -> int:
    """Count the tokens of a request about as a provider would."""
    return len(prompt(body)) // CHARACTERS_PER_TOKEN


def _arguments(args: dict[str, Any] | str) -> str:
    return args if isinstance(args, str) else json.dumps(args)


def chat_events(body: Body, reply: Reply) -> list[Body]:
    """Return the pieces of a reply as chat completions stream them."""
    deltas: list[Body] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in tokens(reply.text))]
    written = len(deltas) - 1
    for index, (name, args) in enumerate(reply.calls):
        function = {"name": name, "arguments": ""}
        deltas.append(
            {
                "tool_calls": [
                    {"index": index, "id": f"call_{index}_{reply.number}", "type": "function", "function": function}
                ]
            }
        )
        pieces = tokens(_arguments(args))
        written += len(pieces) + 2
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    deltas = list(reply.deltas) or deltas
    base = {"id": f"chatcmpl-{reply.number}", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    events = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    reason = "tool_calls" if reply.calls else "stop"
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    read = prompt_tokens(body)
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    usage |= {"prompt_tokens_details": {"cached_tokens": reply.cached}}
    return [*events, {**base, "choices": [], "usage": usage}]


def _response_events(body: Body, reply: Reply) -> list[Body]:
    number = reply.number
    shell = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": body["model"],
        "output": [],
        "status": "in_progress",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    }
    events: list[Body] = [{"type": "response.created", "response": shell}]
    output: list[Body] = []
    reasoning = {"id": f"rs_{number}", "type": "reasoning", "summary": [], "encrypted_content": f"sealed-{number}"}
    events.append({"type": "response.output_item.added", "output_index": 0, "item": reasoning})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": reasoning})
    output.append(reasoning)
    written = 0
    if reply.text:
        item = f"msg_{number}"
        place = {"item_id": item, "output_index": len(output), "content_index": 0}
        message = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        events.append({"type": "response.output_item.added", "output_index": len(output), "item": message})
        events.append({"type": "response.content_part.added", **place, "part": part})
        pieces = tokens(reply.text)
        written += len(pieces)
        events += [{"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces]
        done = {**message, "status": "completed", "content": [{**part, "text": reply.text}]}
        events.append({"type": "response.output_text.done", **place, "text": reply.text, "logprobs": []})
        events.append({"type": "response.output_item.done", "output_index": len(output), "item": done})
        output.append(done)
    for index, (name, args) in enumerate(reply.calls):
        call = {
            "id": f"fc_{index}_{number}",
            "type": "function_call",
            "call_id": f"call_{index}_{number}",
            "name": name,
        }
        call |= {"arguments": "", "status": "in_progress"}
        place = {"item_id": call["id"], "output_index": len(output)}
        events.append({"type": "response.output_item.added", "output_index": len(output), "item": call})
        pieces = tokens(_arguments(args))
        written += len(pieces) + 2
        events += [{"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in pieces]
        whole = {**call, "arguments": _arguments(args), "status": "completed"}
        events.append({"type": "response.function_call_arguments.done", **place, "arguments": _arguments(args)})
        events.append({"type": "response.output_item.done", "output_index": len(output), "item": whole})
        output.append(whole)
    usage = {
        "input_tokens": prompt_tokens(body),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt_tokens(body) + written,
    }
    events.append(
        {"type": "response.completed", "response": {**shell, "status": "completed", "output": output, "usage": usage}}
    )
    return [{**event, "sequence_number": position} for position, event in enumerate(events)]
