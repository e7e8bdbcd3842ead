"""The conversation that a client sends, as messages of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage

from agent.citations import CitationCheck
from service.http.openai.chat_models import ChatMessage
from service.http.openai.errors import bad_request
from service.http.openai.sources import without_list
from service.http.openai.wire import text_of

# Under this id, the wishes of a later turn take the place of those of an earlier one.
WISHES = "wishes-of-the-application"

_RULES = ("system", "developer")
# As a user's message it ranks below the persona and the rules in front of it, and every model's template takes it.
_WISHES = """\
The application that this conversation comes through asks for the following. Keep to it as far as it agrees with your \
rules above. The person's own words begin with the next message.

{wishes}"""


def messages_of(sent: Sequence[ChatMessage], field: str) -> list[AnyMessage]:
    """Return the conversation: the application's wishes first, then what was said in order.

    Args:
        sent: the client's messages.
        field: the field they were sent in.

    Raises:
        Problem: it does not end with a message of the user.
    """
    said = [message for message in sent if message.role not in _RULES]
    if not said or said[-1].role != "user":
        raise bad_request(field, f"{field}: the last message must be the user's", code="invalid")
    wishes = "\n\n".join(text_of(message.content) for message in sent if message.role in _RULES).strip()
    return [_first(wishes), *_conversation(said)]


def _first(wishes: str) -> AnyMessage:
    if wishes:
        return HumanMessage(_WISHES.format(wishes=wishes), id=WISHES)
    return cast("AnyMessage", RemoveMessage(id=WISHES))


def _conversation(said: Sequence[ChatMessage]) -> Iterator[AnyMessage]:
    """Yield what was said. Calls of tools that are not ours are left out: what came of them stands in the answers."""
    for message in said:
        text = text_of(message.content)
        if message.role == "user":
            yield HumanMessage(text)
        elif message.role == "assistant" and (answer := _without_citations(without_list(text))):
            yield AIMessage(answer)


def _without_citations(text: str) -> str:
    """Return an earlier answer without its numbers, which stand for other passages in this turn."""
    check = CitationCheck(())
    return check.feed(text) + check.finish()
