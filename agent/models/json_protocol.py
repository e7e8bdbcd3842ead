"""The `json` planner protocol: a plan as schema-constrained JSON, for models that fail at native function calling.

The reply is `{"answer": text}` or `{"steps": [{"tool": name, "args": {…}}, …]}`. On the way in, tool calls and results
of the history are written as text; on the way out, the JSON is read as it streams and becomes the same chunks that a
model with function calling gives.

A small model that must answer writes `{"answer": [{"about", "from", "text"}, …]}`: for each call of the turn which
passage says what it looked for, then the sentence. So it settles on evidence before it writes. Where it found data as
well, it draws a conclusion, whose `sum` is calculated here: `{"text": …, "sum": "129.00 - 15.50", "unit": "EUR"}`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk

from agent.arithmetic import DIGITS, NotCalculable, calculate
from agent.attribution import attributed
from agent.errors import BrokenReply
from agent.state import Source, turn_of
from agent.toolset import Toolset

MAX_STEPS = 5
NOTHING = "nothing"
LONGEST_ERROR = 200

# One sentence each, of bounded length: a small model otherwise copies passages whole.
# Neither a passage's number nor a reference may stand in it: the reader is told values.
_SENTENCE = {"type": "string", "pattern": r"^([^\n\[\]{}.]|\.[0-9a-z@]){1,200}\.?$"}
_SUM = {"type": "string", "pattern": r"^[0-9.(][0-9 .+*/()-]{0,60}$"}
_UNIT = {"type": "string", "pattern": r"^[^\n\[\]0-9]{0,12}$"}
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


def response_format(tools: Toolset) -> dict[str, Any]:
    """Return the response format that admits an answer, or a plan with these tools."""
    steps = [
        _object({"tool": {"const": tool.name}, "args": {**tool.shown["parameters"], "additionalProperties": False}})
        for tool in tools
    ]
    plan = _object({"steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": {"anyOf": steps}}})
    schema = {"anyOf": [plan, _object({"answer": {"type": "string", "minLength": 1}})]}
    return json_schema(schema)


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the response format of a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def answer_schema(messages: Sequence[AnyMessage]) -> dict[str, Any] | None:
    """Return the schema of an answer from the turn's results, call by call; None where there are none.

    Args:
        messages: the conversation, with the results at its end.
    """
    turn = turn_of(messages)
    calls = {str(call["id"]): call for message in turn if isinstance(message, AIMessage) for call in message.tool_calls}
    results = [(calls[message.tool_call_id], message) for message in turn if isinstance(message, ToolMessage)]
    found = [_sentence(call["name"], call["args"], message) for call, message in results]
    if not found:
        return None
    sources = [_has_sources(message) for _, message in results]
    # Amounts are worked out from data and what the documents say of them; data by themselves are told.
    worked_out = [_object({"text": _SENTENCE, "sum": _SUM, "unit": _UNIT})] if any(sources) else []
    conclusions = [*worked_out, _object({"text": _SENTENCE})]
    all_went_well = all(message.status == "success" for _, message in results)
    concludes = len(results) > 1 and not all(sources) and all_went_well
    items = [*found, *([{"anyOf": conclusions}] if concludes else [])]
    sentences = {"type": "array", "prefixItems": items, "items": False, "minItems": len(items), "maxItems": len(items)}
    return _object({"answer": sentences})


def described(tools: Toolset) -> str:
    """Write the tools as the system prompt shows them, one line each."""
    return "\n".join(f"- {tool.name}({_signature(tool.function)}): {tool.function['description']}" for tool in tools)


def compact(value: Any) -> str:
    """Write JSON without white space, as the grammar has a local model write it: what it reads is what it wrote."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def written(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with calls, results and instructions that come late written as text.

    Results of one plan, and what is said after them, become one message of the user: many local chat templates admit
    only user and assistant after the first message.
    """
    out: list[BaseMessage] = []
    numbers: dict[str, int] = {}
    for message in messages:
        if isinstance(message, AIMessage) and message.tool_calls:
            steps = [{"tool": call["name"], "args": call["args"]} for call in message.tool_calls]
            numbers = {str(call["id"]): number for number, call in enumerate(message.tool_calls, start=1)}
            out.append(AIMessage(compact({"steps": steps})))
        elif isinstance(message, ToolMessage):
            reference = f"${{{numbers.get(message.tool_call_id, '?')}}}"
            _say(out, f"Result {reference} of {message.name}:\n{message.text}")
        elif (isinstance(message, SystemMessage) and out) or isinstance(message, HumanMessage):
            _say(out, str(message.text))
        else:
            out.append(message.model_copy(update={"content": str(message.text)}))
    return out


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
            text = spoken(item, self._sources)
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


def spoken(item: Any, sources: Mapping[int, Source]) -> str:
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


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _sentence(tool: str, args: dict[str, Any], result: ToolMessage) -> dict[str, Any]:
    if result.status == "error":
        # A small model says of a failed call too that all went well.
        failed = f"{tool} did not work: {str(result.text)[:LONGEST_ERROR]}"
        return _object({"about": {"const": tool}, "from": {"const": tool}, "text": {"const": failed}})
    if not _has_sources(result):
        return _object({"about": {"const": tool}, "from": {"const": tool}, "text": _SENTENCE})
    labels = [f"{_place(source)} [{source['number']}]" for source in result.artifact["sources"]]
    about = next((value for value in args.values() if isinstance(value, str)), tool)
    return _object({"about": {"const": about}, "from": {"enum": [*labels, NOTHING]}, "text": _SENTENCE})


def _has_sources(result: ToolMessage) -> bool:
    return isinstance(result.artifact, dict) and bool(result.artifact.get("sources"))


def _place(source: dict[str, Any]) -> str:
    return f"{source['title']} › {source['heading']}" if source["heading"] else str(source["title"])


def _calculated(expression: str) -> str:
    try:
        value = calculate(expression)
    except NotCalculable:
        return expression  # it is the model's text: what cannot be calculated is shown as it stands
    written_out = f"{value.quantize(Decimal('0.01'), context=_CENTS):f}".removesuffix(".00")
    return written_out if _A_NUMBER.fullmatch(expression) else f"{expression} = {written_out}"


def _signature(function: dict[str, Any]) -> str:
    parameters = function["parameters"]
    required = parameters.get("required", ())
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {schema.get('description') or schema.get('type', 'any')}"
        for name, schema in parameters.get("properties", {}).items()
    )


def _say(out: list[BaseMessage], text: str) -> None:
    if out and isinstance(out[-1], HumanMessage):
        out[-1] = HumanMessage(f"{out[-1].text}\n\n{text}")
    else:
        out.append(HumanMessage(text))
