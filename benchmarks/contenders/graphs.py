"""The contenders that are LangGraph graphs: Selfhelp, LangChain's `create_agent` and deepagents."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from agent.checkpoints import open_checkpointer
from benchmarks.contenders import Bench, Contender, instructions, looped
from benchmarks.shapes import WRITES, Shape, shop_tools
from graphs.assistant import build
from tools.calculator import calculator
from tools.clock import clock

Graph = CompiledStateGraph[Any, Any, Any, Any]
APPROVED: Command[Any] = Command(resume={"decisions": [{"type": "approve"}]})


@asynccontextmanager
async def selfhelp(bench: Bench) -> AsyncIterator[Contender]:
    """Open Selfhelp, with its SQLite checkpointer, and a model that answers in a call of its own."""
    async with _assistant(bench, "selfhelp") as graph:
        yield Contender("selfhelp", lambda shape: shape.planned, partial(_answer, graph), plans=True)


@asynccontextmanager
async def selfhelp_replying(bench: Bench) -> AsyncIterator[Contender]:
    """Open Selfhelp with a model that follows its prompt: where values are enough, the plan writes the answer."""
    async with _assistant(bench, "selfhelp-replying") as graph:
        yield Contender("selfhelp, reply in plan", lambda shape: shape.replied, partial(_answer, graph), plans=True)


@asynccontextmanager
async def _assistant(bench: Bench, folder: str) -> AsyncIterator[Graph]:
    settings = bench.model.settings(bench.folder / folder)
    async with open_checkpointer(settings) as saver:
        yield build(tools=shop_tools(bench.latency), checkpointer=saver, settings=settings)


@asynccontextmanager
async def langchain_agent(bench: Bench) -> AsyncIterator[Contender]:
    """Open LangChain's `create_agent`, with the same checkpointer."""
    async with open_checkpointer(bench.model.settings(bench.folder / "create_agent")) as saver:
        graph: Graph = create_agent(
            bench.model.chat,
            _forgiving(bench),
            system_prompt=instructions(),
            middleware=[HumanInTheLoopMiddleware(interrupt_on=dict.fromkeys(WRITES, True))],
            checkpointer=saver,
        )
        yield Contender("create_agent", looped, partial(_answer, graph))


@asynccontextmanager
async def deep_agent(bench: Bench) -> AsyncIterator[Contender]:
    """Open LangChain's deepagents, with the same checkpointer."""
    from deepagents import create_deep_agent

    async with open_checkpointer(bench.model.settings(bench.folder / "deepagents")) as saver:
        graph: Graph = create_deep_agent(
            bench.model.chat,
            _forgiving(bench),
            system_prompt=instructions(),
            interrupt_on=dict.fromkeys(WRITES, True),
            checkpointer=saver,
        )
        yield Contender("deepagents", looped, partial(_answer, graph))


def _forgiving(bench: Bench) -> list[BaseTool]:
    """Return the tools for an agent that ends its run at an exception which a tool does not handle itself."""
    tools = shop_tools(bench.latency)
    for each in tools:
        each.handle_tool_error = True
    return [calculator, clock, *tools]


async def _answer(graph: Graph, shape: Shape) -> AsyncIterator[str]:
    thread: RunnableConfig = {"configurable": {"thread_id": uuid.uuid4().hex}}
    given: Any = {"messages": [HumanMessage(shape.question)]}
    async for piece in _streamed(graph, given, thread):
        yield piece
    while shape.approved and (await graph.aget_state(thread)).interrupts:
        async for piece in _streamed(graph, APPROVED, thread):
            yield piece


async def _streamed(graph: Graph, given: Any, thread: RunnableConfig) -> AsyncIterator[str]:
    async for message, _ in graph.astream(given, thread, stream_mode="messages"):
        if isinstance(message, AIMessage) and message.text:
            yield str(message.text)
