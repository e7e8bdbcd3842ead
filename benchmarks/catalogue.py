"""How often the few tools that a question is shown are the ones that it needs, and what showing few of them saves.

`python -m benchmarks.catalogue` prints both for GitHub's and Stripe's API. The questions are in data/catalogue; every
second of them was looked at when the weights were chosen, and the others were not.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from agent.context import Context
from agent.tool_search import ToolSearch, Weights
from agent.toolset import BoundTool
from benchmarks.npm_documents import GITHUB, STRIPE, NpmDocument, fetched
from tools.openapi import ApiSettings, load_api

QUESTIONS = Path(__file__).parent / "data" / "catalogue"
SHOWN = int(Context.model_fields["shown_tools"].default)

_BOTH = Weights(purpose=0, plainness=0)
METHODS: Mapping[str, Weights] = {
    "words (BM25)": replace(_BOTH, meaning=0, words=1),
    "meaning (MiniLM)": replace(_BOTH, meaning=1, words=0),
    "both": _BOTH,
    "chosen: both, purpose, plainness": Weights(),
    "chosen, without an embedder": Weights(meaning=0, words=1),
}


@dataclass(frozen=True)
class Question:
    """A question as a person asks it.

    Args:
        text: the question.
        needs: the operations that answering takes, each as the set of those of which one does.
    """

    text: str
    needs: Sequence[frozenset[str]]

    def found(self, shown: Sequence[str]) -> list[bool]:
        """Tell for each operation that it needs whether it is shown."""
        return [bool(needed.intersection(shown)) for needed in self.needs]


def questions(name: str) -> list[Question]:
    """Return the questions about an API."""
    read = yaml.safe_load((QUESTIONS / f"{name}.yaml").read_text(encoding="utf-8"))
    return [
        Question(each["ask"], [frozenset(map(str.strip, one.split("|"))) for one in each["needs"]]) for each in read
    ]


def recall(asked: Sequence[Question], rankings: Sequence[Sequence[str]], most: int) -> tuple[float, float]:
    """Return the share of questions that are shown all they need, and the share of needed operations that are shown.

    Args:
        asked: the questions.
        rankings: names of tools for each of them, the best first.
        most: how many are shown.
    """
    found = [question.found(ranking[:most]) for question, ranking in zip(asked, rankings, strict=True)]
    return statistics.fmean(map(all, found)), statistics.fmean(one for each in found for one in each)


def tokens(tools: Sequence[BoundTool]) -> int:
    """Count the prompt tokens of tools, at four characters each."""
    return len(json.dumps([{"type": "function", "function": tool.shown} for tool in tools])) // 4


async def measure(document: NpmDocument, console: Console) -> None:
    """Print the figures of an API."""
    api = await load_api(ApiSettings(name=document.name, spec=str(fetched(document))))
    tools = [BoundTool(tool) for tool in api.tools]
    asked = questions(document.name)
    several = sum(len(question.needs) > 1 for question in asked)
    title = f"{document.name}: {len(tools)} operations, {len(asked)} questions, {several} of which need several"
    table = Table(
        "all needed | each, among", f"{SHOWN}: development", "held out", f"{2 * SHOWN}: held out", title=title
    )
    for name, weights in METHODS.items():
        search = ToolSearch(tools, weights)
        rankings = [search.ranked(question.text) for question in asked]
        table.add_row(
            name,
            _pair(recall(asked[::2], rankings[::2], SHOWN)),
            _pair(recall(asked[1::2], rankings[1::2], SHOWN)),
            _pair(recall(asked[1::2], rankings[1::2], 2 * SHOWN)),
        )
    console.print(table)
    _costs(tools, asked, console)


def _costs(tools: Sequence[BoundTool], asked: Sequence[Question], console: Console) -> None:
    begin = time.perf_counter()
    search = ToolSearch(tools)
    opened = time.perf_counter() - begin
    by_name = {tool.name: tool for tool in tools}
    taken, shown = [], []
    for question in asked:
        begin = time.perf_counter()
        names = search.ranked(question.text)[:SHOWN]
        taken.append(time.perf_counter() - begin)
        shown.append(tokens([by_name[name] for name in names]))
    console.print(
        f"prompt tokens of tools: all {tokens(tools):,}, the {SHOWN} shown {statistics.median(shown):,.0f} (median)\n"
        f"opening, with vectors in the cache: {opened * 1000:.0f} ms; "
        f"a question: {statistics.median(taken) * 1000:.1f} ms (median), {max(taken) * 1000:.1f} ms (slowest)\n"
    )


def _pair(shares: tuple[float, float]) -> str:
    return " | ".join(f"{share:.2f}" for share in shares)


async def main() -> None:
    console = Console(width=120)
    for document in (GITHUB, STRIPE):
        await measure(document, console)


if __name__ == "__main__":
    asyncio.run(main())
