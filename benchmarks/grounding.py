"""What the flags of an answer get right: precision and recall against answers labelled by hand.

Run it with:  uv run python -m benchmarks.grounding [--wrong] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, get_args

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.grounding.flags import flags_of
from agent.knowledge.formats import kind_of, split
from agent.personas import find_personas
from agent.planning.plan import Call
from agent.results import Numbering, tool_message
from agent.state import Flag, FlagKind, Outcome, sources_of

DATA = Path(__file__).parent / "data" / "grounding"
SHOP = Path(__file__).parent.parent / "examples" / "shop" / "docs"
HALVES = ("tuned", "held-out")
KINDS: tuple[str, ...] = get_args(FlagKind)
TIMES = 5

_PAIR = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Case:
    """An answer with the thread before it, and what in it should be flagged.

    Args:
        messages: the thread, with the turn's results at its end.
        answer: the answer.
        labels: kind and text of each flag that is wanted; the passages' numbers for contradictions.
    """

    messages: list[AnyMessage]
    answer: str
    labels: list[tuple[str, str]]


@dataclass
class Score:
    """How many flags are right, how many labels were found."""

    given: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, case: Case, flags: Sequence[Flag]) -> None:
        """Count a case in."""
        given = [(flag["kind"], _told(flag)) for flag in flags]
        for kind, text in given:
            self.given[kind] += 1
            if any(_same(kind, text, *label) for label in case.labels):
                self.right[kind] += 1
            else:
                self.wrong.append(f"false  {kind}: {text!r} in {case.answer!r}")
        for kind, text in case.labels:
            self.wanted[kind] += 1
            if any(_same(*flag, kind, text) for flag in given):
                self.found[kind] += 1
            else:
                self.wrong.append(f"missed {kind}: {text!r} in {case.answer!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="also print what was flagged falsely or missed")
    parser.add_argument("--half", choices=HALVES, help="only one half")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for half in [options.half] if options.half else HALVES:
        cases = list(read(DATA / f"{half}.jsonl"))
        score, milliseconds = measured(cases)
        figures[half] = reported(half, cases, score, milliseconds)
        if options.wrong:
            print(*score.wrong, "", sep="\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def read(path: Path) -> Iterator[Case]:
    """Read cases.

    Args:
        path: lines of JSON with `question`, `answer`, where there are any `passages`, `results`, `earlier` turns, and
            labels: texts under `number` and `name`, `unsupported`, and pairs of passages under `contradiction`. A
            passage is an object, or names one of the example company: `returns.md#Refunds`, or `product-data.csv@0`
            by its place.
    """
    for line in path.read_text().splitlines():
        case = json.loads(line)
        messages: list[AnyMessage] = []
        for turn in (*case.get("earlier", ()), case):
            messages += _turn(turn, messages)
        labels = [(kind, text) for kind in ("number", "name") for text in case.get(kind, ())]
        labels += [("unsupported", "")] if case.get("unsupported") else []
        labels += [("contradiction", f"{first} {second}") for first, second in case.get("contradiction", ())]
        yield Case(messages[:-1], case["answer"], labels)


def measured(cases: Sequence[Case], times: int = TIMES) -> tuple[Score, list[float]]:
    """Return how well the flags of cases fit their labels, and the milliseconds that each case took."""
    score, milliseconds = Score(), []
    persona = find_personas(DATA)["helpdesk"]
    for case in cases:
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            flags = flags_of(case.answer, case.messages, (persona.prompt, persona.greeting))
            taken.append(1000 * (time.perf_counter() - began))
        milliseconds.append(min(taken))
        score.add(case, flags)
    return score, milliseconds


def reported(half: str, cases: Sequence[Case], score: Score, milliseconds: Sequence[float]) -> dict[str, Any]:
    """Print a half's figures and return them."""
    worst = max(milliseconds)
    print(f"{half}: {len(cases)} answers, {median(milliseconds):.2f} ms each (median; {worst:.2f} at most)")
    print(f"  {'':14}{'precision':>18}{'recall':>18}")
    for kind in KINDS:
        precision = _share(score.right[kind], score.given[kind])
        print(f"  {kind:14}{precision:>18}{_share(score.found[kind], score.wanted[kind]):>18}")
    clean = sum(not case.labels for case in cases)
    print(f"  {clean} of the answers deserve no flag")
    counts = {name: dict(getattr(score, name)) for name in ("given", "right", "wanted", "found")}
    return counts | {"answers": len(cases), "median_ms": median(milliseconds), "most_ms": worst}


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part}/{whole})" if whole else "-"


def _told(flag: Flag) -> str:
    return " ".join(_PAIR.findall(flag["detail"])) if flag["kind"] == "contradiction" else flag["text"]


def _same(kind: str, text: str, wanted: str, label: str) -> bool:
    """Whether a flag is what a label means. Whether "LH 1402" is a number or a name is left open."""
    named = {"number", "name"}
    if kind != wanted and not (kind in named and wanted in named):
        return False
    if kind not in named:
        return text == label
    return bool(text) and (text in label or label in text)


def _turn(turn: dict[str, Any], before: Sequence[AnyMessage]) -> list[AnyMessage]:
    numbering = Numbering(sources_of(before))
    outcomes = [("search", [_passage(each) for each in turn["passages"]], None, True)] if turn.get("passages") else []
    outcomes += [(each["tool"], each.get("value"), each.get("error"), False) for each in turn.get("results", ())]
    results = [
        _result(place, tool, value, error, numbering, passages=passages)
        for place, (tool, value, error, passages) in enumerate(outcomes, start=1)
    ]
    return [HumanMessage(turn["question"]), *results, AIMessage(turn["answer"])]


def _result(
    place: int, tool: str, value: Any, error: str | None, numbering: Numbering, *, passages: bool
) -> ToolMessage:
    call = Call(place, f"c{place}", tool, {})
    outcome = Outcome(
        call_id=call.id,
        status="failed" if error else "finished",
        value=value,
        passages=passages,
        resolved={},
        error=error,
        started=0.0,
        ended=0.0,
    )
    return tool_message(call, outcome, numbering, 2000)


def _passage(given: str | dict[str, str]) -> dict[str, Any]:
    if isinstance(given, dict):
        name = given["title"]
        title, heading, text = name, given.get("heading", ""), given["text"]
    else:
        name, by, place = re.split("([#@])", given, maxsplit=1)
        chunks = _chunks(name)
        chunk = chunks[int(place)] if by == "@" else next(each for each in chunks if each.heading == place)
        title, heading, text = chunk.title, chunk.heading, chunk.text
    where = {"page": None, "first_line": None, "last_line": None, "uri": name, "id": "", "score": 0.5}
    return {"document": name, "title": title, "heading": heading, "text": text, **where}


@cache
def _chunks(name: str) -> list[Any]:
    return split((SHOP / name).read_bytes(), name, kind_of(name) or "text")


if __name__ == "__main__":
    main()
