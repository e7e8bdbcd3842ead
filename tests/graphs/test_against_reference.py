"""Random plans, run by the real graph and by the protocol written down plainly: both do the same.

Whoever decides, wherever the reply is cut, and also where another process goes on or goes on too early.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import ToolException, tool
from langgraph.types import Command

from agent.checkpoints import open_checkpointer
from agent.context import Context
from graphs.assistant import build
from tests.graphs.plan_reference import Fails, Fan, Ref, Result, Step, Text, executions, stages
from tests.support.model_server import Reply
from tools.effects import reads

WRITES = ("act", "note")
LISTS = ("total",)
TEXTS = ("say", "note")
EDITED = {"act": 77, "note": "edited"}


def numbered(x):
    return {"n": x, "name": f"n{x}", "items": [x, x + 1]}


GIVES = {
    "number": numbered,
    "total": sum,
    "say": lambda x: f"said {x}",
    "act": numbered,
    "note": lambda x: f"noted {x}",
}


class Log:
    """What the tools were given."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Any]] = []

    def run(self, name: str, x: Any) -> Any:
        self.runs.append((name, x))
        if name == "broken":
            raise ToolException("broken")
        return GIVES[name](x)

    @property
    def tools(self):
        @reads
        @tool
        def number(x: int) -> dict:
            """Read."""
            return self.run("number", x)

        @reads
        @tool
        def total(x: list[int]) -> int:
            """Read."""
            return self.run("total", x)

        @reads
        @tool
        def say(x: str) -> str:
            """Read."""
            return self.run("say", x)

        @reads
        @tool
        def broken(x: int) -> str:
            """Fail."""
            return self.run("broken", x)

        @tool
        def act(x: int) -> dict:
            """Write."""
            return self.run("act", x)

        @tool
        def note(x: str) -> str:
            """Write."""
            return self.run("note", x)

        return [number, total, say, broken, act, note]


def fitting(name: str, x: Any) -> Any:
    """Return what a tool is given for an argument, or fail where it takes no such thing."""
    if name in TEXTS and isinstance(x, int):
        return str(x)
    wanted = str if name in TEXTS else list if name in LISTS else int
    if not isinstance(x, wanted) or (wanted is list and not all(isinstance(item, int) for item in x)):
        raise Fails
    return x


def performed(step: Step, arguments: Any) -> Result:
    """Return what comes of a call that nobody stops."""
    given, values, failed = [], [], False
    for x in arguments if isinstance(arguments, Fan) else [arguments]:
        try:
            given.append(fitting(step.tool, x))
        except Fails:
            failed = True
            continue
        failed = failed or step.tool == "broken"
        values.append(None if step.tool == "broken" else GIVES[step.tool](given[-1]))
    if failed:
        return Result("failed", tuple(given))
    return Result("finished", tuple(given), values if isinstance(arguments, Fan) else values[0])


def decided(step: Step, arguments: Any, decision: str) -> Result:
    """Return what comes of a write on which a person decided."""
    if decision == "approve":
        return performed(step, arguments)
    if decision == "edit":
        return performed(step, Fan([EDITED[step.tool]]) if isinstance(arguments, Fan) else EDITED[step.tool])
    return Result("rejected") if decision == "reject" else Result("finished", (), "told")


def answer_to(action: dict, decision: str) -> dict:
    """Return a decision as a person's interface writes it."""
    if decision != "edit":
        return {"type": decision, "message": "told"} if decision in ("reject", "respond") else {"type": decision}
    one = {"x": EDITED[action["name"]]}
    return {
        "type": "edit",
        "edited_action": {"name": action["name"], "args": {"calls": [one]} if "calls" in action["args"] else one},
    }


class Reference:
    """Runs a plan by the book."""

    def __init__(self, steps: list[Step], asked: set[int]) -> None:
        self.steps = steps
        self.asked = asked
        self.results: dict[int, Result] = {}

    def run(self):
        """Yield the numbers of the writes that a person is asked about together, and take the decisions."""
        for stage in stages(self.steps, self.asked):
            asking = [number for number in stage if number in self.asked and self._arguments(number) not in (None, [])]
            decisions = dict(zip(asking, (yield asking) if asking else [], strict=True))
            for number in stage:
                self.results[number] = self._result(number, decisions.get(number, "approve"))

    def _arguments(self, number: int) -> Any:
        step = self.steps[number - 1]
        if any(self.results[before].status != "finished" for before in step.depends):
            return None
        try:
            return executions(step, step.tool in LISTS, self.results)
        except Fails:
            return None

    def _result(self, number: int, decision: str) -> Result:
        step = self.steps[number - 1]
        if any(self.results[before].status != "finished" for before in step.depends):
            return Result("skipped")
        arguments = self._arguments(number)
        return Result("failed") if arguments is None else decided(step, arguments, decision)


PATHS = [
    (),
    ("n",),
    ("name",),
    ("items",),
    ("items", 1),
    ("items", None),
    ("items", 9),
    ("gone",),
    (None,),
    (None, "n"),
]


@st.composite
def plans(draw) -> list[Step]:
    steps: list[Step] = []
    for place in range(draw(st.integers(1, 7))):
        name = draw(st.sampled_from(["number", "number", "act", "act", "total", "say", "note", "broken"]))
        ref = st.builds(Ref, st.integers(1, place), st.sampled_from(PATHS)) if place else st.nothing()
        number = st.integers(0, 9) | ref
        if name in LISTS:
            argument = draw(st.lists(number, max_size=3) | ref)
        elif name in TEXTS:
            parts = st.lists(st.sampled_from(["b", "$5 ${x} "]) | ref, max_size=3)
            argument = draw(st.just("t") | ref | parts.map(lambda rest: Text(("a ", *rest))))
        else:
            argument = draw(number)
        steps.append(Step(name, argument))
    return steps


def streamed(steps: list[Step], size: int) -> Reply:
    """Return a reply with the calls, its arguments in pieces of a size."""
    deltas = []
    for index, step in enumerate(steps):
        text = json.dumps({"x": step.written})
        head = {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": step.tool, "arguments": ""},
        }
        deltas.append({"tool_calls": [head]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": text[start : start + size]}}]}
            for start in range(0, len(text), size)
        ]
    return Reply(deltas=deltas)


def answered_in_order(messages: list[Any]) -> None:
    """Fail unless behind every reply stand the results of its calls, one for each in order."""
    for place, message in enumerate(messages):
        calls = [call["id"] for call in message.tool_calls] if isinstance(message, AIMessage) else []
        behind = messages[place + 1 : place + 1 + len(calls)]
        assert [each.tool_call_id for each in behind if isinstance(each, ToolMessage)] == calls


@pytest.fixture
async def checkpointer(settings):
    async with open_checkpointer(settings) as checkpointer:
        yield checkpointer


# The name of the fixture is that of Hypothesis's decorator.
@hypothesis.settings(max_examples=30, derandomize="CI" in os.environ)
@given(data=st.data(), steps=plans(), policies=st.tuples(*[st.sampled_from(["always", "never"])] * 2))
async def test_the_graph_does_with_a_plan_what_the_protocol_says(
    data, steps, policies, model_server, settings, checkpointer
):
    log, thread = Log(), {"configurable": {"thread_id": uuid.uuid4().hex}}
    context = Context(approvals=dict(zip(WRITES, policies, strict=True)))
    graph = build(tools=log.tools, settings=settings, checkpointer=checkpointer)
    durability = data.draw(st.sampled_from(["sync", "async", "exit"]))

    async def goes_on(given: Any) -> Any:
        nonlocal graph
        if data.draw(st.booleans(), "another process goes on"):
            graph = build(tools=log.tools, settings=settings, checkpointer=checkpointer)
        return await graph.ainvoke(given, thread, context=context, durability=durability)

    model_server.script = [streamed(steps, data.draw(st.integers(1, 40))), Reply("Done.")]
    state = await goes_on({"messages": [("user", "Do it.")]})
    reference = Reference(steps, {n for n, step in enumerate(steps, 1) if context.approvals.get(step.tool) == "always"})
    asks = reference.run()
    asking = next(asks, None)
    while asking:
        if data.draw(st.booleans(), "it goes on before anybody answered"):
            state = await goes_on(None)
        [request] = state["__interrupt__"]
        actions = request.value["action_requests"]
        assert [action["name"] for action in actions] == [steps[number - 1].tool for number in asking]
        decisions = [data.draw(st.sampled_from(["approve", "edit", "reject", "respond"])) for _ in asking]
        resume = {"decisions": [answer_to(*each) for each in zip(actions, decisions, strict=True)]}
        state = await goes_on(Command(resume=resume))
        try:
            asking = asks.send(decisions)
        except StopIteration:
            break

    assert "__interrupt__" not in state
    assert [step["status"] for step in state["plan"]] == [
        reference.results[n].status for n in sorted(reference.results)
    ]
    expected = [(steps[n - 1].tool, x) for n, result in reference.results.items() for x in result.given]
    assert Counter(map(repr, log.runs)) == Counter(map(repr, expected))
    assert state["messages"][-1].text == "Done."
    answered_in_order(state["messages"])
    model_server.verify()
