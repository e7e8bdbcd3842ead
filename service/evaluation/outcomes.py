"""Outcomes: what came of a case under a configuration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from service.evaluation.configurations import hashed


class StepTaken(BaseModel):
    """A tool call that was made."""

    tool: str
    args: Any
    status: str
    error: str | None = None


class Cited(BaseModel):
    """A passage that an answer cites."""

    number: int
    document: str
    heading: str = ""


class Asked(BaseModel):
    """A write that a person was asked about."""

    tool: str
    args: Any
    answer: str
    expected: int | None = Field(None, description="Which of the case's approvals it is, from 0; None if none.")


class Outcome(BaseModel):
    """What came of a case.

    Args:
        case: id of the case.
        asked: hash of what was asked.
        configuration: fingerprint of the configuration.
        name: the configuration's name when it ran.
        answers: the answers, turn by turn.
        cited: what the last answer cites.
        steps: the tool calls of all turns.
        consents: the writes that a person was asked about.
        calls: the model calls, each with tokens in, cached and out, and a cost that is None where it is not known.
        seconds: how long each turn took.
        flags: what the assistant itself marked in the last answer as unsupported.
        failed: why there is no answer of a model, where that is so.
        at: when it ended, in seconds since 1970.
    """

    case: str
    asked: str
    configuration: str
    name: str
    answers: list[str] = []
    cited: list[Cited] = []
    steps: list[StepTaken] = []
    consents: list[Asked] = []
    calls: list[dict[str, Any]] = []
    seconds: list[float] = []
    flags: list[dict[str, Any]] = []
    failed: str | None = None
    at: float = 0.0

    @property
    def answer(self) -> str:
        """The last answer."""
        return self.answers[-1] if self.answers else ""

    @property
    def key(self) -> str:
        """What it is found by."""
        return outcome_key(self.case, self.asked, self.configuration)

    @property
    def tokens(self) -> int:
        """Tokens in and out together."""
        return sum(call["input"] + call["output"] for call in self.calls)

    @property
    def cost(self) -> float | None:
        """US dollars, None as soon as one call's cost is not known."""
        costs = [call["cost"] for call in self.calls]
        return None if None in costs else float(sum(costs))


def outcome_key(case: str, asked: str, configuration: str) -> str:
    """Return what an outcome is found by.

    Args:
        case: id of the case.
        asked: hash of what was asked.
        configuration: fingerprint of the configuration.
    """
    return hashed([case, asked, configuration])
