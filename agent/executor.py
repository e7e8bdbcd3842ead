"""The executor: runs the plan's calls as a DAG, persisting each as it finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.config import get_config, get_stream_writer
from langgraph.errors import GraphBubbleUp, GraphInterrupt

from agent.answer import answer_check, flagged
from agent.consent import Approve, Decision, Edit, Respond, ask
from agent.errors import SelfhelpError
from agent.kept import until_kept
from agent.once import Once
from agent.planning.dag import Dag, Launch, skipped, stages
from agent.planning.plan import Call, calls_in
from agent.planning.references import UnresolvedReference, render, substitute
from agent.reply import claim
from agent.results import Numbering, differing, done, tool_message
from agent.run import Run
from agent.state import Outcome, State, rounds_of, sources_of
from agent.steps import Steps
from agent.undo import with_undo_offered
from agent.usage import added

PASSAGES_NEED_READING = "not used: the answer needs reading the passages"
PLAN_INCOMPLETE = "not used: a step of the plan did not finish"


async def execute(state: State, run: Run, persist: Launch) -> State:
    """Run the calls of the last reply.

    Args:
        state: the thread, with a checked plan at its end.
        run: the run.
        persist: starts a piece of work whose result is kept as soon as it is there.
    """
    messages = state["messages"]
    plan = messages[-1]
    assert isinstance(plan, AIMessage), "the planner routes here with its plan at the end"
    round_number = rounds_of(messages)
    calls = calls_in(plan)
    await _until_writes_may_start(calls, run)
    once = Once(run.intents, get_config()["configurable"].get("thread_id"), plan)
    steps = Steps(run.tools, run.context, get_stream_writer(), round_number, once)
    ahead = claim(plan)
    decisions: dict[int, Decision] = {}

    async def perform(call: Call, results: Mapping[int, Any]) -> Outcome:
        if decision := decisions.get(call.number):
            return await decided(steps, call, results, decision)
        if ahead and call.number in ahead:
            with suppress(GraphBubbleUp):  # a tool that asks a person asks from here, where the run can wait for it
                return await ahead.outcomes[call.number]
        return await steps.run(call, results)

    dag = Dag(perform, persist)
    asked = {step["id"] for step in state["plan"] if step.get("asks")}
    for stage in stages([call for call in calls if not _is_reply(call, run)], lambda call: call.id in asked):
        if writes := [call for call in stage if call.id in asked]:
            decisions |= await consented(writes, steps, await dag.finish())
        for call in stage:
            dag.add(call)
    outcomes = await dag.finish()
    for number, outcome in outcomes.items():
        if outcome["status"] == "skipped":
            steps.tell(calls[number - 1], "skipped", outcome)

    answer = None
    if _is_reply(calls[-1], run):
        outcomes[len(calls)], answer = _reply(calls[-1], outcomes)
    outcomes = with_undo_offered(calls, outcomes, run.tools)
    results = await _results(calls, outcomes, messages, run)
    ended = {call.id: outcomes[call.number] for call in calls}
    steps_now = [done(step, ended[step["id"]]) if step["id"] in ended else step for step in state["plan"]]
    update = State(messages=list(results), plan=steps_now)
    return update | await _answered(answer, results, state, run) if answer else update


async def _results(
    calls: Sequence[Call], outcomes: Mapping[int, Outcome], messages: Sequence[AnyMessage], run: Run
) -> list[ToolMessage]:
    numbering = Numbering(sources_of(messages))
    results = [tool_message(call, outcomes[call.number], numbering, run.context.result_tokens) for call in calls]
    return await asyncio.to_thread(differing, results, messages) if run.context.flags else results


async def _answered(text: str, results: Sequence[ToolMessage], state: State, run: Run) -> State:
    """Return what the state becomes by an answer that the plan itself wrote."""
    messages = [*state["messages"], *results]
    check = answer_check(messages, run)
    answer, flags = await flagged(AIMessage(check.whole(text)), messages, run, get_stream_writer())
    usage = added(state["usage"], [], check.citations.removed, check.links.removed)
    return State(messages=[*results, *([answer] if answer.content else [])], usage=usage, flags=flags)


async def consented(calls: Sequence[Call], steps: Steps, outcomes: Mapping[int, Outcome]) -> dict[int, Decision]:
    """Ask a person about writes that can run, and return the decisions by call number.

    Args:
        calls: the writes.
        steps: runs them.
        outcomes: what became of the calls before them.

    Raises:
        GraphInterrupt: there is no answer yet.
    """
    results = {number: outcome["value"] for number, outcome in outcomes.items() if outcome["status"] == "finished"}
    writes = []
    for call in calls:
        if call.depends <= results.keys():
            # What cannot be resolved fails by itself when it is its turn.
            with suppress(SelfhelpError):
                writes.append(steps.write(call, results))
    writes = [write for write in writes if write.args != []]
    if not writes:
        return {}
    try:
        return dict(zip((write.call.number for write in writes), await ask(writes), strict=True))
    except GraphInterrupt:
        for write in writes:
            steps.tell(write.call, "waiting")
        raise


async def decided(steps: Steps, call: Call, results: Mapping[int, Any], decision: Decision) -> Outcome:
    """Do with a write what a person decided.

    Args:
        steps: runs it.
        call: the write.
        results: results of the calls it depends on, by number.
        decision: the decision.
    """
    if isinstance(decision, Approve):
        return await steps.run(call, results)
    if isinstance(decision, Edit):
        write = steps.write(call, results).edited(decision.edited_action)
        return await steps.run_with(replace(call, args=decision.edited_action.args), write.args)
    if isinstance(decision, Respond):
        given: Outcome = {**skipped(call, ""), "status": "finished", "value": decision.message, "error": None}
        steps.tell(call, "finished", given)
        return given
    outcome: Outcome = {**skipped(call, decision.told), "status": "rejected"}
    steps.tell(call, "rejected", outcome)
    return outcome


async def _until_writes_may_start(calls: Sequence[Call], run: Run) -> None:
    if any(run.tools.writes(call.tool) for call in calls):
        await until_kept(get_config())


def _is_reply(call: Call, run: Run) -> bool:
    tool = run.tools.get(call.tool)
    return tool is not None and tool.writes_reply


def _reply(call: Call, outcomes: Mapping[int, Outcome]) -> tuple[Outcome, str | None]:
    """Return the outcome of the reply pseudo-tool and its text, if that can be the answer."""
    if any(outcome["status"] != "finished" for outcome in outcomes.values()):
        return skipped(call, PLAN_INCOMPLETE), None
    if any(outcome["passages"] for outcome in outcomes.values()):
        return skipped(call, PASSAGES_NEED_READING), None
    results = {number: outcome["value"] for number, outcome in outcomes.items()}
    try:
        text = render(substitute(call.args["text"], lambda reference: reference.value(results)))
    except UnresolvedReference as error:
        return skipped(call, f"not used: {error}"), None
    return {**skipped(call, ""), "status": "finished", "value": text, "error": None, "resolved": {"text": text}}, text
