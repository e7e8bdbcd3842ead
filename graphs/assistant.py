"""The assistant: planner, executor and responder.

          ┌───────────── more calls ─────────────┐
          ▼                                      │
START → planner ── calls ──► executor ──► responder ── text ──► END
          └── text: the answer, one model call ──────────────► END
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

from agent import nodes
from agent.context import Context
from agent.run import Assistant
from agent.settings import Settings
from agent.state import Input, State
from tools.registry import loader

if TYPE_CHECKING:
    from agent.knowledge.base import KnowledgeBase

AssistantGraph = CompiledStateGraph[State, Context, Input, State]


def build(
    *,
    model: BaseChatModel | None = None,
    tools: Sequence[BaseTool] | None = None,
    knowledge: KnowledgeBase | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    store: BaseStore | None = None,
    settings: Settings | None = None,
) -> AssistantGraph:
    """Build the assistant's graph. Keys, files and network are left alone until its first run.

    Args:
        model: a chat model to use instead of the one that is set. One that a persona or a run's context names goes
            before it.
        tools: tools of your own beside the built-in ones. One whose `metadata` does not say `{"effect": "read"}` counts
            as a write: it is not started ahead and not retried.
        knowledge: the documents to search, instead of the ones that are set.
        checkpointer: keeps threads between turns. The LangGraph server brings its own.
        store: LangGraph's store, for tools that use one.
        settings: settings to use instead of selfhelp.toml and the environment.

    Raises:
        SettingsError: one of the tools is none.
    """
    return assembled(Assistant(loader(tools or (), knowledge), model, settings), checkpointer, store)


def assembled(
    assistant: Assistant, checkpointer: BaseCheckpointSaver[Any] | None = None, store: BaseStore | None = None
) -> AssistantGraph:
    """Build the graph of an assistant whose parts are there.

    Args:
        assistant: its tools, models and settings.
        checkpointer: keeps threads between turns.
        store: LangGraph's store.
    """
    builder = StateGraph(State, context_schema=Context, input_schema=Input)
    builder.add_node("planner", nodes.planner(assistant))
    builder.add_node("executor", nodes.executor(assistant))
    builder.add_node("responder", nodes.responder(assistant))
    builder.add_edge(START, "planner")
    builder.add_conditional_edges("planner", after_reply, ["executor", "responder", END])
    builder.add_conditional_edges("executor", after_execution, ["responder", END])
    builder.add_conditional_edges("responder", after_reply, ["executor", "responder", END])
    return builder.compile(checkpointer=checkpointer, store=store, name="assistant")


def after_reply(state: State) -> str:
    """Run a plan, answer over one that failed its check, or end with the answer."""
    last = state["messages"][-1]
    if isinstance(last, AIMessage) and last.tool_calls:
        return "executor"
    return "responder" if isinstance(last, ToolMessage) else END


def after_execution(state: State) -> str:
    """End where the plan wrote the reply itself, else answer over the results."""
    return END if isinstance(state["messages"][-1], AIMessage) else "responder"


graph = build()
