"""Plan-and-execute as in LangGraph's tutorial: steps, an agent for each, and a look at the plan after each."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from operator import add
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agent.checkpoints import open_checkpointer
from benchmarks.contenders import Bench, Contender, instructions
from benchmarks.shapes import Shape, shop_tools
from tests.support.model_server import Reply
from tools.calculator import calculator
from tools.clock import clock

NOTHING_TO_LOOK_UP = "Answer from what you know."


class Plan(BaseModel):
    """The steps to follow."""

    steps: list[str] = Field(description="The steps to follow, in their order.")


class Decision(BaseModel):
    """The answer, where it is known, or the steps that are left."""

    answer: str = ""
    steps: list[str] = Field(default_factory=list)


class State(TypedDict, total=False):
    """What the graph keeps."""

    question: str
    plan: list[str]
    past: Annotated[list[tuple[str, str]], add]
    answer: str


@asynccontextmanager
async def plan_and_execute(bench: Bench) -> AsyncIterator[Contender]:
    """Open the graph, with the same checkpointer as the other graphs."""
    async with open_checkpointer(bench.model.settings(bench.folder / "plan-and-execute")) as saver:
        graph = _graph(bench).compile(checkpointer=saver)

        async def answer(shape: Shape) -> AsyncIterator[str]:
            thread: Any = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 200}
            yield (await graph.ainvoke({"question": shape.question}, thread))["answer"]

        yield Contender("plan-and-execute", _script, answer, approves=False)


def _graph(bench: Bench) -> StateGraph[Any, Any, Any, Any]:
    tools = shop_tools(bench.latency)
    for each in tools:
        each.handle_tool_error = True
    chat = bench.model.chat
    worker: Any = create_agent(chat, [calculator, clock, *tools], system_prompt=instructions())
    planner = chat.with_structured_output(Plan, method="function_calling")
    replanner = chat.with_structured_output(Decision, method="function_calling")

    async def plan(state: State) -> State:
        asked = [SystemMessage("Write a plan of simple steps for the question."), HumanMessage(state["question"])]
        return {"plan": (await planner.ainvoke(asked)).steps}  # type: ignore[union-attr]

    async def execute(state: State) -> State:
        step, plan = state["plan"][0], "\n".join(state["plan"])
        done = await worker.ainvoke({"messages": [HumanMessage(f"The plan:\n{plan}\n\nYou execute: {step}")]})
        return {"past": [(step, done["messages"][-1].text)]}

    async def look_again(state: State) -> State:
        asked = (
            f"Question: {state['question']}\nPlan: {state['plan']}\nDone: {state['past']}\nAnswer, or say what is left."
        )
        decided: Any = await replanner.ainvoke([HumanMessage(asked)])
        return {"plan": decided.steps, "answer": decided.answer}

    builder = StateGraph(State)
    builder.add_node("plan", plan)
    builder.add_node("execute", execute)
    builder.add_node("look_again", look_again)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "execute")
    builder.add_edge("execute", "look_again")
    builder.add_conditional_edges("look_again", lambda state: END if state["answer"] else "execute", [END, "execute"])
    return builder


def _script(shape: Shape) -> Sequence[Reply]:
    """Return what the model replies: the plan, and for each step the call, what it gave, and what is left."""
    calls = [call for reply in shape.looped for call in reply.calls]
    steps = [f"Call {tool} with {json.dumps(args)}." for tool, args in calls] or [NOTHING_TO_LOOK_UP]
    replies = [Reply(calls=[("Plan", {"steps": steps})])]
    for done, step in enumerate(steps, start=1):
        replies += [Reply(calls=[calls[done - 1]])] if calls else []
        decided = {"steps": steps[done:]} if done < len(steps) else {"answer": shape.text}
        replies += [Reply(text=f"Done: {step}"), Reply(calls=[("Decision", decided)])]
    return replies
