"""Pydantic AI. It keeps no threads, so nothing of a turn is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from langchain_core.tools import ToolException

from benchmarks.contenders import Bench, Contender, instructions, looped
from benchmarks.shapes import WRITES, Shape, delayed


@asynccontextmanager
async def pydantic_agent(bench: Bench) -> AsyncIterator[Contender]:
    """Open an agent of Pydantic AI."""
    from pydantic_ai import Agent, DeferredToolRequests, Tool
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with bench.model.openai() as client:
        agent: Any = Agent(
            OpenAIChatModel("scripted", provider=OpenAIProvider(openai_client=client)),
            instructions=instructions(),
            tools=[Tool(_telling(each), requires_approval=each.__name__ in WRITES) for each in delayed(bench.latency)],
            output_type=[str, DeferredToolRequests],
        )
        yield Contender("pydantic-ai", looped, lambda shape: _answer(agent, shape))


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tool that tells the model of a failure, as Pydantic AI wants it."""
    from pydantic_ai import ModelRetry

    @wraps(function)
    async def telling(**args: Any) -> Any:
        try:
            return await function(**args)
        except ToolException as error:
            raise ModelRetry(str(error)) from None

    return telling


async def _answer(agent: Any, shape: Shape) -> AsyncIterator[str]:
    from pydantic_ai import AgentRunResultEvent, DeferredToolRequests

    asked: dict[str, Any] | None = {"user_prompt": shape.question}
    while asked is not None:
        result = None
        async with agent.run_stream_events(**asked) as events:
            async for event in events:
                if isinstance(event, AgentRunResultEvent):
                    result = event.result
                elif text := _text(event):
                    yield text
        assert result is not None, "the last event is the result"
        waits = isinstance(result.output, DeferredToolRequests)
        asked = None
        if waits:
            approved = result.output.build_results(approve_all=True)
            asked = {"message_history": result.all_messages(), "deferred_tool_results": approved}


def _text(event: Any) -> str:
    from pydantic_ai import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""
