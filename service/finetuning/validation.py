"""A training file checked: each example, its size, examples that repeat, and what it would cost to train on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.messages.utils import count_tokens_approximately

from agent.errors import SettingsError
from service.finetuning.duplicates import near_duplicates, normalised
from service.finetuning.rules import problems_of

FEWEST_EXAMPLES = 10
# OpenAI's limits: of the training context of its models, and of a file that is uploaded.
MOST_TOKENS = 65_536
MOST_BYTES = 512 * 1024 * 1024

HELD_OUT = "held-out.jsonl"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and in which line; None where it is the file as a whole."""

    line: int | None
    message: str


@dataclass(frozen=True)
class Report:
    """What a training file holds.

    Args:
        examples: how many examples can be read.
        tokens: tokens of each that is well formed, by line: about a quarter of its characters.
        problems: what is wrong, in the order of the lines.
    """

    examples: int
    tokens: dict[int, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Tokens of all examples."""
        return sum(self.tokens.values())

    def cost(self, price: float | None, epochs: int) -> float | None:
        """Return what a hosted job would cost, in US dollars; None where the price is not known.

        Args:
            price: US dollars for a million tokens of training.
            epochs: how often each example is gone through.
        """
        return None if price is None else self.total * epochs * price / 1_000_000


def validate(path: Path, held_out: Path | None = None) -> Report:
    """Check a training file. It reads files: call it in a thread from async code.

    Args:
        path: the file, with an example in each line.
        held_out: the examples that are kept for evaluation, none of which may be in the file too.

    Raises:
        SettingsError: a file cannot be read.
    """
    problems: list[Problem] = []
    tokens: dict[int, int] = {}
    examples = dict(_examples(path, problems))
    for line, example in examples.items():
        wrong = list(problems_of(example))
        if not wrong:
            tokens[line] = tokens_of(example)
            if tokens[line] > MOST_TOKENS:
                wrong = [f"about {tokens[line]:,} tokens: OpenAI takes at most {MOST_TOKENS:,}"]
        problems += [Problem(line, message) for message in wrong]
    kept = dict(_examples(held_out, [])) if held_out else {}
    problems += _repetitions(examples, kept)
    problems.sort(key=lambda problem: problem.line or 0)
    return Report(len(examples), tokens, [*_of_file(path, len(examples)), *problems])


def tokens_of(example: Mapping[str, Any]) -> int:
    """Return about how many tokens a well-formed example has. A vocabulary would have to be fetched."""
    messages = [
        {"content": ""} | {key: value for key, value in message.items() if key != "weight"}
        for message in example["messages"]
    ]
    return count_tokens_approximately(messages, tools=example.get("tools"))


def _of_file(path: Path, examples: int) -> Iterator[Problem]:
    if examples < FEWEST_EXAMPLES:
        yield Problem(None, f"{examples} examples: OpenAI takes no fewer than {FEWEST_EXAMPLES}")
    if path.stat().st_size > MOST_BYTES:
        yield Problem(None, f"the file is larger than {MOST_BYTES // 1024**2} MB, which is the most that OpenAI takes")


def _examples(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield what the lines hold, by number from 1, and note those that are no JSON."""
    for number, line in enumerate(_lines(path), 1):
        try:
            yield number, json.loads(line.decode(), parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            problems.append(Problem(number, f"it is not UTF-8: byte {error.start + 1}"))
        except (ValueError, RecursionError) as error:
            reason = "it is empty" if not line.strip() else f"it is not valid JSON: {error}"
            problems.append(Problem(number, reason))


def _lines(path: Path) -> list[bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _repetitions(examples: Mapping[int, Any], held_out: Mapping[int, Any]) -> Iterator[Problem]:
    """Yield what is in the file twice, and what is held out and in it all the same, word for word or nearly."""
    kept, lines = _texts(held_out), _texts(examples)
    places = [*kept, *lines]
    first: dict[int, int] = {}
    for earlier, later in near_duplicates([*kept.values(), *lines.values()]):
        if later >= len(kept):
            first.setdefault(later, earlier)
    for later, earlier in first.items():
        if earlier < len(kept):
            yield Problem(places[later], f"it is nearly what is held out for evaluation, in line {places[earlier]}")
        else:
            yield Problem(places[later], f"it is nearly the same as line {places[earlier]}")


def _texts(examples: Mapping[int, Any]) -> dict[int, str]:
    texts = {line: normalised(example) for line, example in examples.items() if isinstance(example, Mapping)}
    return {line: text for line, text in texts.items() if text}


def read_examples(path: Path) -> Sequence[dict[str, Any]]:
    """Return the examples of a file that is valid.

    Raises:
        SettingsError: the file cannot be read, or a line is no well-formed example.
    """
    problems: list[Problem] = []
    examples = dict(_examples(path, problems))
    problems += [Problem(line, wrong) for line, example in examples.items() for wrong in problems_of(example)]
    if problems:
        first = min(problems, key=lambda problem: problem.line or 0)
        raise SettingsError(f"{path}, line {first.line}: {first.message}. selfhelp finetune validate shows all")
    return list(examples.values())
