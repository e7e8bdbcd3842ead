"""The cascade: a small model is asked first, and the run's own where the small one's reply will not do.

What the small model writes is held back until it has been judged, so nobody reads an answer that is then replaced. The
reads of its plan start ahead as those of any plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import AnyMessage

from agent.errors import ModelUnavailable
from agent.refusals import refuses
from agent.reply import Asker, Reply
from agent.state import State, sources_of, turn_of
from agent.summary import SUMMARY

# An answer of which fewer sentences cite a passage, although the turn found some.
LEAST_COVERAGE = 0.5


async def small_reply(asker: Asker, state: State) -> Reply | None:
    """Return the reply of the small model, if the run has one that may be asked and that replies.

    Once the run's own model has taken over in a turn, it keeps it.

    Args:
        asker: asks the run's models.
        state: the thread.
    """
    small = asker.run.cascade
    own = (call["model"] != asker.run.context.cascade for call in state["usage"]["calls"] if call["node"] != SUMMARY)
    if small is None or any(own):
        return None
    try:
        return await replace(asker, run=replace(asker.run, models=[small]), aloud=False).ask(state["messages"])
    except ModelUnavailable:
        return None


def will_do(reply: Reply, messages: Sequence[AnyMessage]) -> bool:
    """Whether an answer need not be asked for again: it refuses nothing, and cites what was found.

    Args:
        reply: the answer.
        messages: the thread that it answers.
    """
    text = str(reply.message.text)
    if "broken_off" in reply.message.response_metadata or refuses(text):
        return False
    return not sources_of(turn_of(messages)) or coverage(text) >= LEAST_COVERAGE


def coverage(answer: str) -> float:
    """Return which share of an answer's sentences cites a passage, from 0 to 1; 1 where there are none."""
    from agent.grounding.sentences import sentences  # its patterns take a while to compile

    said = [sentence for sentence in sentences(answer) if sentence.text and not sentence.heading]
    return sum(bool(sentence.cited) for sentence in said) / len(said) if said else 1.0
