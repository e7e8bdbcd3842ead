"""Reading a JSON reply as it streams: its text is shown, and its steps run, before it is whole."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from agent.arithmetic import DIGITS, NotCalculable, calculate
from agent.attribution import attributed
from agent.errors import BrokenReply
from agent.state import Source

_OPENING = re.compile(
    r'\s*(?:```(?:json)?\s*)?\{\s*"(?:(?P<answer>answer)"\s*:\s*"|(?P<sentences>answer)"\s*:\s*\[|(?P<steps>steps)"\s*:\s*\[)'
)
_NUMBER = re.compile(r" \[([0-9]+)\]$")
_A_NUMBER = re.compile(r"\s*-?[0-9.]+\s*")
_CENTS = Context(prec=DIGITS + 2, rounding=ROUND_HALF_UP)
_SEPARATOR = re.compile(r"[\s,]*")
# The part of a JSON string that can be decoded already: no half escape, no half surrogate pair.
_DECODABLE = re.compile(
    r"""(?:[^"\\]|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*""",
    re.DOTALL,
)
_DECODER = json.JSONDecoder()


async def read(chunks: AsyncIterator[AIMessageChunk], sources: Mapping[int, Source]) -> AsyncIterator[AIMessageChunk]:
    """Turn the chunks of a JSON reply into those of a reply with tool calls. Usage and metadata pass through.

    Args:
        chunks: the reply as it streams.
        sources: the turn's passages by number.

    Raises:
        BrokenReply: the reply is no answer and no plan.
    """
    reader = ReplyReader(sources)
    async for chunk in chunks:
        for piece in reader.feed(str(chunk.text)):
            yield piece
        yield chunk.model_copy(update={"content": ""})
    reader.finish()


class ReplyReader:
    """Reads a JSON reply piece by piece. Text that is no JSON at all is taken as the answer.

    Args:
        sources: the turn's passages by number, on which the sentences of an answer may rest.
    """

    def __init__(self, sources: Mapping[int, Source] | None = None) -> None:
        self._sources = sources or {}
        self._text = ""
        self._position = 0
        self._kind: str | None = None
        self._steps = 0
        self._said: set[str] = set()
        self._finished = False

    def feed(self, text: str) -> Iterator[AIMessageChunk]:
        """Take the next piece and yield what it completes: answer text, or tool calls.

        Raises:
            BrokenReply: a step is not a tool with arguments.
        """
        self._text += text
        if self._kind is None:
            self._recognise()
        if self._kind == "text":
            yield from self._plain_text()
        elif self._kind == "sentences" and not self._finished:
            yield from self._sentences()
        elif self._kind == "answer" and not self._finished:
            yield from self._answer()
        elif self._kind == "steps" and not self._finished:
            yield from self._calls()

    def finish(self) -> None:
        """Say that the reply has ended.

        Raises:
            BrokenReply: it ended too early, or was neither an answer nor steps.
        """
        if self._kind is None:
            raise BrokenReply("the model's reply is neither an answer nor steps")
        if self._kind != "text" and not self._finished:
            raise BrokenReply("the model's reply broke off inside its JSON")

    def _recognise(self) -> None:
        if opening := _OPENING.match(self._text):
            self._kind, self._position = opening.lastgroup, opening.end()
        elif (begin := self._text.lstrip()) and begin[0] not in "{`":
            self._kind = "text"

    def _plain_text(self) -> Iterator[AIMessageChunk]:
        fresh, self._position = self._text[self._position :], len(self._text)
        yield AIMessageChunk(content=fresh)

    def _answer(self) -> Iterator[AIMessageChunk]:
        decodable = _DECODABLE.match(self._text, self._position)
        assert decodable is not None, "the expression matches the empty text"
        self._position = decodable.end()
        self._finished = self._text.startswith('"', self._position)
        if decodable[0]:
            yield AIMessageChunk(content=json.loads(f'"{decodable[0]}"', strict=False))

    def _calls(self) -> Iterator[AIMessageChunk]:
        for step in self._items():
            yield self._call(step)

    def _sentences(self) -> Iterator[AIMessageChunk]:
        for item in self._items():
            text = _spoken(item, self._sources)
            if text not in self._said:  # two calls that found nothing make the model say so twice
                yield AIMessageChunk(content=f" {text}" if self._said else text)
                self._said.add(text)

    def _items(self) -> Iterator[Any]:
        while True:
            between = _SEPARATOR.match(self._text, self._position)
            self._position = between.end() if between else self._position
            if self._text.startswith("]", self._position):
                self._finished = True
                return
            try:
                item, self._position = _DECODER.raw_decode(self._text, self._position)
            except ValueError:
                return
            yield item

    def _call(self, step: Any) -> AIMessageChunk:
        if not isinstance(step, dict) or not isinstance(step.get("tool"), str):
            raise BrokenReply("a step of the model's plan names no tool")
        chunk = tool_call_chunk(
            name=step["tool"],
            args=json.dumps(step.get("args", {}), ensure_ascii=False),
            id=f"call_{uuid.uuid4().hex[:16]}",
            index=self._steps,
        )
        self._steps += 1
        return AIMessageChunk(content="", tool_call_chunks=[chunk])


def _spoken(item: Any, sources: Mapping[int, Source]) -> str:
    """Write one item of an answer as text: its sentence, what its sum comes to, and the number of its passage.

    Args:
        item: what the model wrote.
        sources: the turn's passages by number.

    Raises:
        BrokenReply: it has no text.
    """
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise BrokenReply("a sentence of the model's answer has no text")
    text: str = item["text"].strip()
    if "sum" in item:
        return f"{text.rstrip('.:= ')} {_calculated(str(item['sum']))} {item.get('unit') or ''}".rstrip() + "."
    label = _NUMBER.search(str(item.get("from", "")))
    number = attributed(text, int(label[1]) if label else None, sources)
    return f"{text} [{number}]" if number else text


def _calculated(expression: str) -> str:
    try:
        value = calculate(expression)
    except NotCalculable:
        return expression  # it is the model's text: what cannot be calculated is shown as it stands
    written_out = f"{value.quantize(Decimal('0.01'), context=_CENTS):f}".removesuffix(".00")
    return written_out if _A_NUMBER.fullmatch(expression) else f"{expression} = {written_out}"
