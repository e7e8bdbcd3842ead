"""One round: a reply is asked for, and if it is a plan that fails its check, asked for once more."""

from __future__ import annotations

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.answer import flagged
from agent.cascade import small_reply, will_do
from agent.planning.plan import calls_in, check
from agent.reply import Asker, Reply, hand_over
from agent.results import planned
from agent.run import Run
from agent.state import State, Step, Usage, rounds_of, sources_of
from agent.usage import added

CHECKS = 2
NOT_RUN = "not run, because another call of the plan is wrong"


async def negotiate(asker: Asker, state: State) -> State:
    """Ask for a reply and return the state's update.

    A plan that fails its check goes back to the model once, with what is wrong as tool errors. Nothing of it has run
    but reads that went ahead, and these are dropped. What a cascade's small model wrote is never sent back: the run's
    own model is asked afresh.

    Args:
        asker: asks the run's models.
        state: the thread as it is.

    Raises:
        ModelUnavailable: no model replied.
    """
    update = State(messages=[], plan=list(state["plan"]), sources=state["sources"], usage=state["usage"])
    replies: list[Reply] = []
    if reply := await small_reply(asker, state):
        replies.append(reply)
        update["usage"] = _counted(state, asker, replies)
        if not check(reply.message, asker.run.tools) and (reply.asks_for_calls or will_do(reply, state["messages"])):
            update["messages"].append(reply.message)
            update["plan"] += _steps(reply.message, {}, rounds_of(state["messages"]) + 1, asker.run)
            return await _accepted(asker, update, state["messages"], reply)
        reply.ahead.cancel()
    for _ in range(CHECKS):
        messages = [*state["messages"], *update["messages"]]
        reply = await asker.ask(messages)
        problems = check(reply.message, asker.run.tools)
        replies.append(reply)
        update["usage"] = _counted(state, asker, replies)
        update["messages"] += [reply.message, *_refusals(reply.message, problems)]
        update["plan"] += _steps(reply.message, problems, rounds_of(messages) + 1, asker.run)
        if not problems:
            return await _accepted(asker, update, messages, reply)
        reply.ahead.cancel()
    return update


def _counted(state: State, asker: Asker, replies: list[Reply]) -> Usage:
    citations = sum(reply.check.citations.removed for reply in replies)
    links = sum(reply.check.links.removed for reply in replies)
    return added(state["usage"], asker.calls, citations, links)


async def _accepted(asker: Asker, update: State, messages: list[AnyMessage], reply: Reply) -> State:
    hand_over(reply)
    if not reply.message.tool_calls:
        known = sources_of(messages)
        update["sources"] = [known[number] for number in reply.check.citations.cited]
        answer, update["flags"] = await flagged(reply.message, messages, asker.run, asker.emit)
        update["messages"][-1] = answer
    return update


def _refusals(message: AIMessage, problems: dict[str, str]) -> list[ToolMessage]:
    if not problems:
        return []
    return [
        ToolMessage(
            problems.get(str(call["id"]), NOT_RUN),
            tool_call_id=str(call["id"]),
            name=call["name"] or "",
            status="error",
        )
        for call in (*message.tool_calls, *message.invalid_tool_calls)
    ]


def _steps(message: AIMessage, problems: dict[str, str], round_number: int, run: Run) -> list[Step]:
    steps = [planned(call, round_number, run) for call in calls_in(message)]
    for step in steps if problems else ():
        step["status"] = "failed" if step["id"] in problems else "skipped"
        step["error"] = problems.get(step["id"], NOT_RUN)
    return steps
