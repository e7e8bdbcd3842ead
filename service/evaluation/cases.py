"""Cases: what is asked, and what a right answer needs. A set is a JSONL file with one case a line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import SettingsError
from service.evaluation.facts import Fact


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Consent(_Given):
    """A write that a person is to be asked about, and what the simulated person says."""

    tool: str = Field(description="Name of the tool that writes.")
    args: dict[str, Any] = Field(
        default_factory=dict, description="Arguments that it must have; others may have any value."
    )
    answer: Literal["approve", "edit", "reject", "respond"] = Field(
        "approve", description="What the person decides, as in the assistant's approvals."
    )
    message: str = Field("", description="Why it is rejected, or the result that the person gives.")
    edited: dict[str, Any] = Field(default_factory=dict, description="Arguments that an edit puts in.")


class Budget(_Given):
    """The most that a case may use."""

    model_calls: int | None = Field(None, ge=1, description="Calls of the model.")
    tokens: int | None = Field(None, ge=1, description="Tokens in and out together.")
    cost: float | None = Field(None, ge=0, description="US dollars. A cost that is not known is over it.")


Facts = list[Annotated[Fact | list[Fact], Field(description="A fact, or several of which one is enough.")]]


class Case(_Given):
    """A question or a whole conversation, and what is expected of it.

    Expectations of the answer are about the last one of a conversation, those of tools and writes about all of it.
    """

    id: str = Field(min_length=1, description="Name of the case, once in a set.")
    question: str | None = Field(None, min_length=1, description="What is asked.")
    turns: list[str] = Field(default_factory=list, description="What is said turn by turn, instead of one question.")
    collection: str | None = Field(None, description="The document collection to search; else the configuration's.")
    tags: list[str] = Field(default_factory=list, description="Kinds of case, to count by.")

    facts: Facts = Field(default_factory=list, description="What the answer must say: all of them.")
    absent: list[Fact] = Field(default_factory=list, description="What the answer must not say.")
    refuses: bool = Field(False, description="Whether the answer must say that it does not know.")
    sources: list[str | list[str]] = Field(
        default_factory=list, description="Documents to cite, by name; of a list in the list, one is enough."
    )
    tools: list[str] = Field(default_factory=list, description="Tools to call, in whatever order.")
    trajectory: list[str] = Field(default_factory=list, description="Tools to call in this order, others between.")
    forbidden_tools: list[str] = Field(default_factory=list, description="Tools that may not be called.")
    approvals: list[Consent] = Field(
        default_factory=list, description="Writes to be asked about. Any other is rejected, and counts as a fault."
    )
    budget: Budget = Field(default_factory=Budget, description="The most that it may use.")
    least_calls: int | None = Field(None, ge=0, description="The fewest tool calls that a right answer needs.")

    support: list[str] = Field(
        default_factory=list, description="Words of the sources that carry the facts, for whoever checks the set."
    )
    derivation: list[str] = Field(
        default_factory=list, description="How facts follow from data, as expressions, for whoever checks the set."
    )
    nowhere: str | None = Field(
        None, description="A pattern that no document matches, for whoever checks that it cannot be answered."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Case:
        if bool(self.question) == bool(self.turns):
            raise ValueError("a case has either a question or turns")
        return self

    @property
    def said(self) -> list[str]:
        """What is said turn by turn."""
        return [self.question] if self.question else self.turns

    @property
    def asked(self) -> dict[str, Any]:
        """What decides how the case runs. The rest says what is expected, and may change without running it again."""
        return self.model_dump(mode="json", include={"question", "turns", "collection", "approvals"})


def read_cases(path: Path) -> list[Case]:
    """Read a set.

    Raises:
        SettingsError: the file cannot be read, a line is no case, or two cases have the same id.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the set {path} cannot be read: {error}") from None
    cases = [_case(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not cases:
        raise SettingsError(f"the set {path} has no cases: write one JSON object a line")
    if twice := [name for name, times in Counter(case.id for case in cases).items() if times > 1]:
        raise SettingsError(f"the set {path} has several cases of the id {', '.join(twice)}")
    return cases


def spread(cases: list[Case], limit: int | None) -> list[Case]:
    """Return at most so many cases, evenly spread over the set, so that each kind keeps its share."""
    if limit is None or limit >= len(cases):
        return cases
    return [cases[position * len(cases) // limit] for position in range(limit)]


def _case(path: Path, number: int, line: str) -> Case:
    try:
        return Case.model_validate(json.loads(line))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" if problem["loc"] else problem["msg"]
            for problem in error.errors(include_url=False)
        )
    except ValueError as error:
        problems = f"it is no JSON: {error}"
    raise SettingsError(f"{path}, line {number}: {problems}")
