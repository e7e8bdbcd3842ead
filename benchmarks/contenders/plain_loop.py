"""A loop over the openai client as one writes it by hand: nothing is stored, and nobody is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from benchmarks.contenders import Bench, Contender, instructions, looped
from benchmarks.shapes import Shape, delayed

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Loop:
    """The loop.

    Args:
        client: an `openai.AsyncOpenAI`.
        functions: the tools by name.
    """

    client: Any
    functions: Functions

    async def answer(self, shape: Shape) -> AsyncIterator[str]:
        """Ask until the model calls no tool, and yield what it writes."""
        messages: list[Any] = [
            {"role": "system", "content": instructions()},
            {"role": "user", "content": shape.question},
        ]
        tools = [convert_to_openai_tool(function) for function in self.functions.values()]
        while True:
            calls: list[dict[str, Any]] = []
            stream = await self.client.chat.completions.create(
                model="scripted", messages=messages, tools=tools, stream=True, stream_options={"include_usage": True}
            )
            async for chunk in stream:
                for choice in chunk.choices:
                    if choice.delta.content:
                        yield choice.delta.content
                    for part in choice.delta.tool_calls or ():
                        _add(calls, part)
            if not calls:
                return
            messages.append({"role": "assistant", "tool_calls": calls})
            messages += await asyncio.gather(*map(self._run, calls))

    async def _run(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            result = await self.functions[call["function"]["name"]](**json.loads(call["function"]["arguments"]))
        except Exception as error:  # noqa: BLE001  the model is told, whatever it is
            result = f"Error: {error}"
        return {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)}


def _add(calls: list[dict[str, Any]], part: Any) -> None:
    if part.index == len(calls):
        calls.append({"id": part.id, "type": "function", "function": {"name": part.function.name, "arguments": ""}})
    calls[part.index]["function"]["arguments"] += part.function.arguments


@asynccontextmanager
async def plain_loop(bench: Bench) -> AsyncIterator[Contender]:
    """Open the loop."""
    async with bench.model.openai() as client:
        loop = Loop(client, {each.__name__: each for each in delayed(bench.latency)})
        yield Contender("openai loop", looped, loop.answer, approves=False)
