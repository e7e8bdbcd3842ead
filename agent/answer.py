"""What an answer passes on its way out, streamed or whole: its citations are checked, then where it leads.

When it is settled, what nothing bears out in it is flagged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.addresses import Addresses
from agent.citations import CitationCheck
from agent.links import LinkCheck
from agent.run import Run
from agent.state import Flag, sources_of
from agent.steps import Emit


class AnswerCheck:
    """Takes an answer in pieces and gives it back without false citations and without links that may not stand in it.

    Args:
        citations: checks the citations.
        links: checks what is left, last, since a removed citation could leave a link behind.
    """

    def __init__(self, citations: CitationCheck, links: LinkCheck) -> None:
        self.citations = citations
        self.links = links

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be shown."""
        return self.links.feed(self.citations.feed(text))

    def finish(self) -> str:
        """Return what was held back."""
        return self.links.feed(self.citations.finish()) + self.links.finish()

    def whole(self, text: str) -> str:
        """Return a text that comes in one piece."""
        return self.feed(text) + self.finish()


def answer_check(messages: Sequence[AnyMessage], run: Run) -> AnswerCheck:
    """Return the check of an answer in a thread."""
    return AnswerCheck(CitationCheck(sources_of(messages).keys()), link_check(messages, run))


def link_check(messages: Sequence[AnyMessage], run: Run) -> LinkCheck:
    """Return the check of where an answer in a thread leads."""
    own = (run.persona.prompt, run.persona.greeting)
    return LinkCheck(Addresses(messages, own, run.context.allowed_hosts))


async def flagged(
    answer: AIMessage, messages: Sequence[AnyMessage], run: Run, emit: Emit
) -> tuple[AIMessage, list[Flag]]:
    """Return a settled answer with what is to be doubted in it. It is kept with the message, and told as an event.

    Args:
        answer: the answer.
        messages: the thread before it.
        run: the run.
        emit: takes the event.
    """
    if not run.context.flags:
        return answer, []
    given = [message for message in messages if not _is_reply(message, run)]
    own = (run.persona.prompt, run.persona.greeting, str(answer.response_metadata.get("broken_off", "")))
    # It is a matter of milliseconds, but for a thread of a million characters.
    flags = await asyncio.to_thread(_flags, str(answer.text), given, own)
    if not flags:
        return answer, []
    emit({"type": "flags", "flags": flags})
    return answer.model_copy(update={"response_metadata": answer.response_metadata | {"flags": flags}}), flags


def _flags(answer: str, given: Sequence[AnyMessage], own: Sequence[str]) -> list[Flag]:
    from agent.grounding.flags import flags_of  # its patterns take a while to compile

    return flags_of(answer, given, own)


def _is_reply(message: AnyMessage, run: Run) -> bool:
    """Whether a message is the result of `reply`: the model's own words, which bear nothing out."""
    tool = run.tools.get(message.name or "") if isinstance(message, ToolMessage) else None
    return tool is not None and tool.writes_reply
