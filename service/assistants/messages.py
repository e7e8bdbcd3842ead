"""What was said in a thread of an export, as messages of ours: texts, tool calls with results, and citations."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.plain import plain
from agent.results import Numbering, shown
from agent.state import Passage
from service.assistants.dump import Dump, Object, created, listed
from service.assistants.gaps import Gap

NO_OUTPUT = "no output was saved"
SEARCH = "search"

# Finds the passage of a file that a text rests on: by the file's id, what was quoted of it, and the sentence before.
Quote = Callable[[str, str, str], Awaitable[Passage | None]]


@dataclass
class Transcript:
    """The messages of a thread.

    Args:
        messages: the messages.
        gaps: what could not be taken over.
        malformed: what could not be read, by id, with the reason.
    """

    messages: list[AnyMessage] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    malformed: list[tuple[str, str]] = field(default_factory=list)


async def transcript(thread_id: str, dump: Dump, quote: Quote) -> Transcript:
    """Return what was said in a thread, in order.

    Args:
        thread_id: the thread.
        dump: the export.
        quote: finds cited passages.
    """
    said = Transcript()
    numbering = Numbering({})
    told: set[str] = set()
    for message in _in_order(each for each in dump.messages.values() if each["thread_id"] == thread_id):
        text = _text(message, said)
        if text is None:
            continue
        run_id = str(message.get("run_id") or "")
        if message["role"] == "user":
            said.messages += [HumanMessage(text, id=message["id"])] if text.strip() else []
            continue
        if run_id and run_id not in told:
            told.add(run_id)
            said.messages += _steps(run_id, dump, said)
        text, cited = await _cited(message, text, numbering, quote, said)
        if cited:
            said.messages += cited
        if text.strip():
            said.messages.append(AIMessage(text, id=message["id"]))
    return said


def _in_order(objects: Iterator[Object]) -> list[Object]:
    # Times are whole seconds: of a question and an answer within one, the question comes first.
    return sorted(objects, key=lambda each: (created(each), each.get("role") != "user", str(each["id"])))


def _text(message: Object, said: Transcript) -> str | None:
    """Return the text of a message, None where it cannot be read."""
    if message["role"] not in ("user", "assistant"):
        said.malformed.append((message["id"], f"its role is {message['role']!r}"))
        return None
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        said.malformed.append((message["id"], "it has no content"))
        return None
    parts = [_part(part, message["id"], said) for part in listed(content)]
    return "\n\n".join(filter(None, parts))


def _part(part: Object, message_id: str, said: Transcript) -> str:
    kind = str(part.get("type"))
    if kind == "text":
        text = part.get("text")
        return str(text.get("value") or "") if isinstance(text, Mapping) else str(text or "")
    if kind == "refusal":
        return str(part.get("refusal") or "")
    image = part.get(kind)
    place = image.get("file_id") or image.get("url") if isinstance(image, Mapping) else ""
    said.gaps.append(Gap(message_id, f"{kind} {place or ''}".strip(), "a note of it stands in the text"))
    return f"({kind.replace('_', ' ')}: {place})" if place else ""


def _steps(run_id: str, dump: Dump, said: Transcript) -> Iterator[AnyMessage]:
    """Yield the tool calls of a run, each step's with its results behind it."""
    for step in _in_order(each for each in dump.steps.values() if each["run_id"] == run_id):
        details = step.get("step_details")
        readable = listed(details.get("tool_calls")) if isinstance(details, Mapping) else []
        results = [_call(call, f"{step['id']}-{place}", said) for place, call in enumerate(readable)]
        if results:
            made = [{"name": tool, "args": args, "id": result.tool_call_id} for tool, args, result in results]
            yield AIMessage("", id=step["id"], tool_calls=made)
            yield from (result for _, _, result in results)


def _call(call: Object, number: str, said: Transcript) -> tuple[str, dict[str, Any], ToolMessage]:
    """Return the tool, the arguments and the result of a call."""
    call_id, kind = str(call.get("id") or number), str(call.get("type"))
    inner = call.get(kind)
    of = inner if isinstance(inner, Mapping) else {}
    if kind == "function":
        name = str(of.get("name") or kind)
        return name, _arguments(of.get("arguments"), call_id, said), _result(of.get("output"), call_id, name)
    if kind == "code_interpreter":
        outputs = listed(of.get("outputs"))
        for output in outputs:
            if output.get("type") == "image":
                said.gaps.append(Gap(call_id, "image that code made", "left out"))
        logs = "\n".join(str(output.get("logs")) for output in outputs if output.get("logs"))
        return kind, {"input": str(of.get("input") or "")}, _result(logs, call_id, kind)
    texts = [str(part.get("text")) for each in listed(of.get("results")) for part in listed(each.get("content"))]
    return kind, {}, _result("\n\n".join(texts), call_id, kind)


def _arguments(given: object, call_id: str, said: Transcript) -> dict[str, Any]:
    try:
        arguments = plain(json.loads(given) if isinstance(given, str) else given)
    except (ValueError, RecursionError):
        arguments = None
    if isinstance(arguments, dict):
        return arguments
    said.malformed.append((call_id, "its arguments are no JSON object"))
    return {}


def _result(output: object, call_id: str, name: str) -> ToolMessage:
    text = output if isinstance(output, str) else "" if output is None else json.dumps(output, ensure_ascii=False)
    status = "success" if text.strip() else "error"
    return ToolMessage(text if text.strip() else NO_OUTPUT, tool_call_id=call_id, name=name, status=status)


async def _cited(
    message: Object, text: str, numbering: Numbering, quote: Quote, said: Transcript
) -> tuple[str, Sequence[AnyMessage]]:
    """Return a text with our numbers for its citations, and the search that found what they stand for."""
    sources = {}
    for annotation in _annotations(message):
        mark = str(annotation.get("text") or "")
        if not mark or mark not in text:
            continue
        of = annotation.get("file_citation")
        file_id = str(of.get("file_id")) if isinstance(of, Mapping) else ""
        before = text[: text.index(mark)].rstrip().rsplit("\n", 1)[-1][-300:]
        quoted = str(of.get("quote") or "") if isinstance(of, Mapping) else ""
        passage = await quote(file_id, quoted, before) if file_id else None
        if passage is None:
            what = f"citation of {file_id}" if file_id else f"link to {mark}"
            said.gaps.append(Gap(message["id"], what, "taken out of the text: the file is not in the export"))
            text = text.replace(mark, "", 1)
            continue
        source = numbering.number(passage.model_dump())
        sources[source["number"]] = source
        text = text.replace(mark, f" [{source['number']}]", 1)
    if not sources:
        return text, ()
    call_id = f"cited-{message['id']}"
    call = {"name": SEARCH, "args": {"query": "what the answer cites"}, "id": call_id}
    content = "\n\n".join(map(shown, sources.values()))
    result = ToolMessage(content, tool_call_id=call_id, name=SEARCH, artifact={"sources": list(sources.values())})
    return text, [AIMessage("", id=f"{call_id}-plan", tool_calls=[call]), result]


def _annotations(message: Object) -> Iterator[Object]:
    for part in listed(message.get("content")):
        text = part.get("text")
        yield from listed(text.get("annotations")) if isinstance(text, Mapping) else ()
