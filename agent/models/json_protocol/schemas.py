"""What a model may write: an answer, a plan, or an answer from the results of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.state import Source, sources_of, turn_of
from agent.toolset import Toolset

MAX_STEPS = 5
NOTHING = "nothing"
LONGEST_ERROR = 200

# One sentence each, of bounded length: a small model otherwise copies passages whole.
# Neither a passage's number nor a reference may stand in it: the reader is told values.
_SENTENCE = {"type": "string", "pattern": r"^([^\n\[\]{}.]|\.[0-9a-z@]){1,200}\.?$"}
_SUM = {"type": "string", "pattern": r"^[0-9.(][0-9 .+*/()-]{0,60}$"}
_UNIT = {"type": "string", "pattern": r"^[^\n\[\]0-9]{0,12}$"}


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
    args = {
        call["id"]: call["args"] for message in turn if isinstance(message, AIMessage) for call in message.tool_calls
    }
    results = [message for message in turn if isinstance(message, ToolMessage)]
    if not results:
        return None
    # A call whose arguments were no JSON has none, and a result that says so.
    found = [_sentence(result, args.get(result.tool_call_id, {})) for result in results]
    sources = [bool(sources_of([result])) for result in results]
    # Amounts are worked out from data and what the documents say of them; data by themselves are told.
    worked_out = [_object({"text": _SENTENCE, "sum": _SUM, "unit": _UNIT})] if any(sources) else []
    conclusions = [*worked_out, _object({"text": _SENTENCE})]
    all_went_well = all(result.status == "success" for result in results)
    concludes = len(results) > 1 and not all(sources) and all_went_well
    items = [*found, *([{"anyOf": conclusions}] if concludes else [])]
    sentences = {"type": "array", "prefixItems": items, "items": False, "minItems": len(items), "maxItems": len(items)}
    return _object({"answer": sentences})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _sentence(result: ToolMessage, args: dict[str, Any]) -> dict[str, Any]:
    tool = str(result.name)
    if result.status == "error":
        # A small model says of a failed call too that all went well.
        failed = f"{tool} did not work: {str(result.text)[:LONGEST_ERROR]}"
        return _object({"about": {"const": tool}, "from": {"const": tool}, "text": {"const": failed}})
    sources = sources_of([result])
    if not sources:
        return _object({"about": {"const": tool}, "from": {"const": tool}, "text": _SENTENCE})
    labels = [f"{_place(source)} [{number}]" for number, source in sources.items()]
    about = next((value for value in args.values() if isinstance(value, str)), tool)
    return _object({"about": {"const": about}, "from": {"enum": [*labels, NOTHING]}, "text": _SENTENCE})


def _place(source: Source) -> str:
    return f"{source['title']} › {source['heading']}" if source["heading"] else source["title"]
