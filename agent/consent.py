"""Consent: writes wait for a person, who is shown each with its references resolved and decides on it.

Request and answer are those of LangChain's human-in-the-loop middleware, so that Studio and agent-chat-ui know them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Literal

from langgraph.config import get_config
from langgraph.types import interrupt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from agent.kept import answer_kept
from agent.plain import legible, plain
from agent.planning.plan import Call
from agent.toolset import BoundTool

Policy = Literal["always", "never"]

# agent-chat-ui shows no card when `respond` is among the allowed decisions, so it is taken but not offered.
OFFERED = ["approve", "edit", "reject"]
EVERY_ELEMENT = "calls"

Message = Annotated[str, AfterValidator(legible)]


class Action(BaseModel):
    """A call as a person changed it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Name of the tool, as it was.", examples=["create_refund"])
    args: Annotated[dict[str, Any], AfterValidator(plain)] = Field(
        description="Its arguments, as they are to be.", examples=[{"order": 1042}]
    )


class Approve(BaseModel):
    """Run it."""

    type: Literal["approve"] = Field(description="Always approve.", examples=["approve"])


class Edit(BaseModel):
    """Run it with other arguments."""

    type: Literal["edit"] = Field(description="Always edit.", examples=["edit"])
    edited_action: Action = Field(description="The call as it is to be.")


class Reject(BaseModel):
    """Do not run it."""

    type: Literal["reject"] = Field(description="Always reject.", examples=["reject"])
    message: Message = Field("", description="Why, for the model to hear.", examples=["not today"])

    @property
    def told(self) -> str:
        """What the model is told in the place of a result."""
        return f"a person rejected this: {self.message}" if self.message else "a person rejected this"


class Respond(BaseModel):
    """Do not run it, and take this for its result."""

    type: Literal["respond"] = Field(description="Always respond.", examples=["respond"])
    message: Message = Field(description="What stands for its result.", examples=["it is done already"])


Decision = Annotated[Approve | Edit | Reject | Respond, Field(discriminator="type")]


@dataclass(frozen=True)
class Write:
    """A write that waits.

    Args:
        call: the call.
        tool: its tool.
        args: its arguments with references resolved; a list of them where it fans out.
    """

    call: Call
    tool: BoundTool
    args: Any

    @property
    def action(self) -> dict[str, Any]:
        """The write as a person is asked about it."""
        args = {EVERY_ELEMENT: self.args} if isinstance(self.args, list) else self.args
        return {"name": self.tool.name, "args": args, "description": self.described()}

    def described(self) -> str:
        """Return the exact requests that the write sends."""
        every = self.args if isinstance(self.args, list) else [self.args]
        return "\n\n".join(map(self.tool.preview, every)) or f"{self.tool.name}: for no element at all"

    def misfit(self, action: Action) -> str | None:
        """Return why a person's edit is none of this write, if it is none."""
        if action.name != self.tool.name:
            return f"an edit changes arguments: the action stays {self.tool.name!r}"
        if not isinstance(self.args, list):
            return None
        calls = action.args.get(EVERY_ELEMENT)
        if isinstance(calls, list) and all(isinstance(call, dict) for call in calls):
            return None
        return f"{self.tool.name} runs once for each element: {EVERY_ELEMENT} must be a list of arguments"

    def edited(self, action: Action) -> Write:
        """Return the write with the arguments that a person gave it."""
        return replace(self, args=action.args[EVERY_ELEMENT] if isinstance(self.args, list) else action.args)


def needs_consent(tool: BoundTool, policy: Mapping[str, Policy]) -> bool:
    """Whether a person is asked before a tool runs.

    Args:
        tool: the tool.
        policy: "always" or "never" by tool name, pattern of names, or HTTP method; the first of these that fits counts.
            A write that nothing fits is asked about.
    """
    if tool.effect == "read":
        return False
    if tool.name in policy:
        return policy[tool.name] == "always"
    fitting = [wish for pattern, wish in policy.items() if pattern != "*" and fnmatchcase(tool.name, pattern)]
    return next(iter(fitting), policy.get(tool.method, policy.get("*", "always"))) == "always"


async def ask(
    writes: Sequence[Write], notes: Sequence[str] = (), offered: Sequence[str] = OFFERED, answered: int = 0
) -> list[Decision]:
    """Ask a person about writes, all at once, and return one decision for each in order.

    Args:
        writes: the writes.
        notes: what the person is to know of each beside the request itself.
        offered: the decisions to choose from.
        answered: how many answers of this step are of earlier requests, and done with.

    Raises:
        GraphInterrupt: there is no answer yet; the run goes on from here when there is.
        pydantic.ValidationError: the answer is not one decision for each write, or an edit is none of its arguments. It
            is not kept, and can be given again.
    """
    actions = [write.action for write in writes]
    for action, note in zip(actions, notes, strict=False):
        action["description"] = f"{note}\n\n{action['description']}"
    names = dict.fromkeys(action["name"] for action in actions)
    request = {
        "action_requests": actions,
        "review_configs": [{"action_name": name, "allowed_decisions": list(offered)} for name in names],
    }
    config = get_config()
    taken: list[Any] = config["configurable"]["__pregel_scratchpad"].resume
    before = len(taken)
    for _ in range(answered):
        interrupt(request)
    answer: _Answer = interrupt(request, response_schema=_answer_to(writes))
    if len(taken) > before:
        await answer_kept(config, taken)
    return answer.decisions


class _Answer(BaseModel):
    decisions: list[Decision]


def _answer_to(writes: Sequence[Write]) -> Any:
    """Return the type of an answer that fits the writes."""

    def fitting(answer: _Answer) -> _Answer:
        if len(answer.decisions) != len(writes):
            raise ValueError(
                f"there must be one decision for each call, in order: {len(writes)}, not {len(answer.decisions)}"
            )
        for write, decision in zip(writes, answer.decisions, strict=True):
            if isinstance(decision, Edit) and (wrong := write.misfit(decision.edited_action)):
                raise ValueError(wrong)
        return answer

    return Annotated[_Answer, AfterValidator(fitting), WithJsonSchema(_schema_of_answer(len(writes)))]


@lru_cache
def _schema_of_answer(number: int) -> dict[str, Any]:
    """Return the JSON schema of an answer with so many decisions, which Pydantic would take 2 ms for each time."""
    edit = Edit.model_json_schema()
    edit["properties"]["edited_action"] = edit.pop("$defs")["Action"]
    decisions = [Approve.model_json_schema(), edit, Reject.model_json_schema(), Respond.model_json_schema()]
    some = {"type": "array", "items": {"oneOf": decisions}, "minItems": number, "maxItems": number}
    return {"title": "Answer", "type": "object", "properties": {"decisions": some}, "required": ["decisions"]}
