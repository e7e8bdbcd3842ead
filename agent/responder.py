"""The responder: one streamed model call over the results. It answers with citations, or asks for more calls."""

from __future__ import annotations

from langgraph.config import get_stream_writer

from agent.degraded import degraded_answer, is_degraded, notice_of
from agent.errors import ModelUnavailable
from agent.reply import Asker
from agent.round import negotiate
from agent.run import Run
from agent.state import State, turn_of
from agent.usage import used_before


async def respond(state: State, run: Run) -> State:
    """Answer from the turn's results, or ask for more calls while the turn's rounds last.

    Args:
        state: the thread, with the results of its latest plan at its end.
        run: the run.
    """
    messages, usage = state["messages"], state["usage"]
    notice = next((m.response_metadata["degraded"] for m in reversed(turn_of(messages)) if is_degraded(m)), None)
    if notice is None:
        asker = Asker(run, "responder", get_stream_writer(), state.get("summary"))
        try:
            return await negotiate(asker, state)
        except ModelUnavailable as error:
            notice, usage = notice_of(error), used_before(error, usage, asker.calls)
    answer, quoted = degraded_answer(messages, run, notice)
    return {"messages": [answer], "sources": quoted, "usage": usage}
