"""OpenAI's Agents SDK, with its SQLite sessions."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.contenders import Bench, Contender, instructions, looped
from benchmarks.shapes import WRITES, Shape, delayed


@asynccontextmanager
async def openai_agent(bench: Bench) -> AsyncIterator[Contender]:
    """Open an agent of the SDK."""
    from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, function_tool, set_tracing_disabled

    set_tracing_disabled(disabled=True)
    async with bench.model.openai() as client:
        agent = Agent(
            name="shop",
            instructions=instructions(),
            model=OpenAIChatCompletionsModel("scripted", client),
            model_settings=ModelSettings(include_usage=True),
            tools=[
                function_tool(each, needs_approval=each.__name__ in WRITES, strict_mode=False)
                for each in delayed(bench.latency)
            ],
        )
        sessions = bench.folder / "openai-agents.sqlite"
        yield Contender("openai-agents", looped, lambda shape: _answer(agent, str(sessions), shape))


async def _answer(agent: Any, sessions: str, shape: Shape) -> AsyncIterator[str]:
    from agents import Runner, SQLiteSession

    session = SQLiteSession(uuid.uuid4().hex, sessions)
    given: Any = shape.question
    while given is not None:
        result = Runner.run_streamed(agent, given, session=session, max_turns=None)
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta
        given = result.to_state() if result.interruptions else None
        for item in result.interruptions:
            given.approve(item)
    session.close()
