"""Runs: a case asked of a configuration, in a thread of its own, with a simulated person who decides on writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from agent.prices import Prices
from agent.settings import Settings
from agent.state import turn_of
from agent.usage import begun_call, counted, is_counted, tokens_of
from graphs import assistant, react
from service.conversation import Question
from service.evaluation.cases import Case, Consent
from service.evaluation.configurations import Configuration, hashed
from service.evaluation.outcomes import Asked, Cited, Outcome, StepTaken
from service.evaluation.surroundings import Surroundings

# Seconds after which a case counts as failed.
PATIENCE = 900.0
# LangGraph's supersteps in a turn. The agent loop would call tools for ever where a model does not stop.
MOST_SUPERSTEPS = 40
UNEXPECTED = "Nobody asked for this."

BUILD = {"assistant": assistant.build, "react": react.build}


def same(expected: Any, given: Any) -> bool:
    """Whether an argument is the one that a case expects: text in upper or lower case, numbers of whatever type."""
    if isinstance(expected, str) and isinstance(given, str):
        return expected.strip().casefold() == given.strip().casefold()
    if isinstance(expected, int | float) and isinstance(given, int | float):
        return abs(expected - given) < 0.005  # noqa: PLR2004 - half a cent
    return bool(expected == given)


@dataclass
class Person:
    """Decides on writes as a case says, and on any other with no.

    Args:
        expected: the writes that the case expects.
    """

    expected: Sequence[Consent]
    asked: list[Asked] = field(default_factory=list)

    def decide(self, actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return a decision for each write."""
        return [self._decided(action) for action in actions]

    def _decided(self, action: dict[str, Any]) -> dict[str, Any]:
        met = {asked.expected for asked in self.asked}
        for number, consent in enumerate(self.expected):
            if number not in met and _fits(consent, action):
                self.asked.append(
                    Asked(tool=action["name"], args=action["args"], answer=consent.answer, expected=number)
                )
                return _decision(consent, action)
        self.asked.append(Asked(tool=action["name"], args=action["args"], answer="reject"))
        return {"type": "reject", "message": UNEXPECTED}


def _fits(consent: Consent, action: dict[str, Any]) -> bool:
    given = action["args"]
    return consent.tool == action["name"] and all(same(value, given.get(key)) for key, value in consent.args.items())


def _decision(consent: Consent, action: dict[str, Any]) -> dict[str, Any]:
    if consent.answer == "edit":
        edited = {"name": action["name"], "args": {**action["args"], **consent.edited}}
        return {"type": "edit", "edited_action": edited}
    return {"type": consent.answer} | ({} if consent.answer == "approve" else {"message": consent.message})


async def run(
    case: Case, configuration: Configuration, surroundings: Surroundings, fingerprint: str, patience: float = PATIENCE
) -> Outcome:
    """Ask a case of a configuration. Whatever the graph raises is the outcome's failure.

    Args:
        case: the case.
        configuration: the configuration.
        surroundings: give what it runs in.
        fingerprint: the configuration's.
        patience: seconds that it may take.
    """
    outcome = Outcome(
        case=case.id, asked=hashed(case.asked), configuration=fingerprint, name=configuration.name, at=0.0
    )
    person = Person(case.approvals)
    try:
        async with asyncio.timeout(patience) as clock, surroundings.fresh() as parts:
            graph = BUILD[configuration.graph](checkpointer=InMemorySaver(), **parts)
            await _converse(case, configuration, graph, parts["settings"], person, outcome)
    except Exception as error:  # noqa: BLE001 - what a graph raises is what the person would see
        outcome.failed = (
            f"it took longer than {patience:.0f} s" if clock.expired() else f"{type(error).__name__}: {error}"
        )
    outcome.consents = person.asked
    outcome.at = time.time()
    return outcome


async def _converse(
    case: Case,
    configuration: Configuration,
    graph: CompiledStateGraph[Any, Any, Any, Any],
    settings: Settings,
    person: Person,
    outcome: Outcome,
) -> None:
    context = configuration.context(case.collection)
    effective = await asyncio.to_thread(configuration.effective, settings)
    config = RunnableConfig(configurable={"thread_id": uuid4().hex}, recursion_limit=MOST_SUPERSTEPS)
    for said in case.said:
        started = time.monotonic()
        state = await _turn(graph, {"messages": [HumanMessage(said)]}, config, context)
        while interrupts := state.get("__interrupt__"):
            question = Question.of(interrupts)
            resume: Any = Command(resume=question.answer(person.decide(question.actions)))
            state = await _turn(graph, resume, config, context)
        outcome.seconds.append(time.monotonic() - started)
        last = state["messages"][-1]
        outcome.answers.append(str(last.text))
        told = last.response_metadata
        outcome.failed = outcome.failed or told.get("degraded") or told.get("broken_off")
        outcome.cited = [
            Cited(number=source["number"], document=source["document"], heading=source["heading"])
            for source in state.get("sources", ())
        ]
        outcome.flags = list(state.get("flags") or ())
        if configuration.graph == "react":
            prices = Prices(settings.prices)
            outcome.calls += await asyncio.to_thread(react_calls, state["messages"], str(effective.model), prices)
            outcome.steps += react_steps(state["messages"])
        else:
            outcome.calls += state["usage"]["calls"]
            outcome.steps += [
                StepTaken(
                    tool=step["tool"], args=step["resolved"] or step["args"], status=step["status"], error=step["error"]
                )
                for step in state["plan"]
            ]


async def _turn(graph: CompiledStateGraph[Any, Any, Any, Any], given: Any, config: Any, context: Any) -> dict[str, Any]:
    """Run a turn as a surface does, which listens to its tokens, and return the state that it ends with."""
    state: dict[str, Any] = {}
    modes: Any = ["messages", "values"]
    stream: Any = graph.astream(given, config, context=context, stream_mode=modes)
    async for mode, data in stream:
        if mode == "values":
            state = data
    return state


def react_calls(messages: Sequence[AnyMessage], model: str, prices: Prices) -> list[dict[str, Any]]:
    """Return the model calls of the agent loop's last turn, as the assistant's state has them.

    Args:
        messages: the thread.
        model: the model that was asked.
        prices: what it costs.
    """
    replies = [message for message in turn_of(messages) if isinstance(message, AIMessage)]
    made = [counted(begun_call("model", number, model), reply) for number, reply in enumerate(replies, start=1)]
    return [{**call, "cost": prices.cost(model, tokens_of(call)) if is_counted(call) else None} for call in made]


def react_steps(messages: Sequence[AnyMessage]) -> list[StepTaken]:
    """Return the tool calls of the agent loop's last turn."""
    turn = turn_of(messages)
    results = {message.tool_call_id: message for message in turn if isinstance(message, ToolMessage)}
    calls = [call for message in turn if isinstance(message, AIMessage) for call in message.tool_calls]
    return [_step(call["name"], call["args"], results.get(str(call["id"]))) for call in calls]


def _step(tool: str, args: Any, result: ToolMessage | None) -> StepTaken:
    if result is None:
        return StepTaken(tool=tool, args=args, status="skipped", error="it has no result")
    failed = result.status == "error"
    return StepTaken(
        tool=tool, args=args, status="failed" if failed else "finished", error=result.text if failed else None
    )
