"""What an evaluation came to: as tables in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.untrusted import visible
from service.evaluation.comparison import Comparison, comparisons
from service.evaluation.judge import Agreement, agreement
from service.evaluation.statistics import Estimate
from service.evaluation.summary import Result, Summary, summary


@dataclass(frozen=True)
class Evaluation:
    """A set's results under all configurations, and what follows from them.

    Args:
        name: the set.
        results: the results of each configuration by its name.
        summaries: the figures of each configuration.
        comparisons: how the others differ from the first.
        judge: the judging model, None where there is none.
        agreement: how far the judge agrees with the rules.
    """

    name: str
    results: Mapping[str, Sequence[Result]]
    summaries: Sequence[Summary]
    comparisons: Sequence[Comparison]
    judge: str | None
    agreement: Agreement | None

    @classmethod
    def of(cls, name: str, results: Mapping[str, Sequence[Result]], judge: str | None) -> Evaluation:
        """Sum up and compare results."""
        every = [result for each in results.values() for result in each]
        summaries = [summary(configuration, each) for configuration, each in results.items()]
        return cls(name, results, summaries, comparisons(results), judge, agreement(every))

    @property
    def tags(self) -> list[str]:
        """All tags, in the order of the set."""
        return list(dict.fromkeys(tag for each in self.summaries for tag in each.by_tag))


def rows(summaries: Sequence[Summary]) -> list[tuple[str, list[str]]]:
    """Return the figures as rows of text: a label, and a cell for each configuration."""
    return [
        ("cases", [str(each.cases) for each in summaries]),
        ("failed to answer", [str(each.failed) for each in summaries]),
        ("correct", [percent(each.correct) for each in summaries]),
        ("correct, cited, planned and within budget", [percent(each.passed) for each in summaries]),
        ("says so where nothing holds the answer", [percent(each.refused) for each in summaries]),
        ("says so where it could answer", [percent(each.refused_needlessly) for each in summaries]),
        ("citation precision", [percent(each.precision) for each in summaries]),
        ("citation coverage", [percent(each.coverage) for each in summaries]),
        ("plan quality", [percent(each.plan_quality) for each in summaries]),
        ("model calls a case", [_number(each.model_calls, 2) for each in summaries]),
        ("tool calls a case", [_number(each.tool_calls, 2) for each in summaries]),
        ("tokens a case", [_number(each.tokens, 0) for each in summaries]),
        ("cost of all", [cost(each) for each in summaries]),
        ("seconds a turn, p50", [_seconds(each.p50) for each in summaries]),
        ("seconds a turn, p95", [_seconds(each.p95) for each in summaries]),
        ("statements flagged as unsupported", [str(each.flags) for each in summaries]),
    ]


def percent(estimate: Estimate | None) -> str:
    """Write a share with its interval."""
    if estimate is None:
        return "–"
    share = f"{100 * estimate.value:.0f}%"
    # One value, or several that are equal, do not tell how far off they may be.
    return f"{share} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})" if estimate.low < estimate.high else share


def cost(each: Summary) -> str:
    """Write what all cases cost together. What is not known stays so."""
    if each.cost is None:
        return f"not known ({each.unpriced} of {each.cases} cases)"
    return f"${each.cost:.4f}" if each.cost else "nothing"


def difference(comparison: Comparison) -> str:
    """Write how much a comparison's first has more, with its interval and chance."""
    found, share = comparison.difference, comparison.measure.kind == "share"
    scale, digits = (100, 0) if share else (1, _digits(found.value))
    value, low, high = (f"{scale * each:+.{digits}f}" for each in (found.value, found.low, found.high))
    chance = "p < 0.001" if comparison.chance < 0.001 else f"p = {comparison.chance:.3f}"  # noqa: PLR2004
    unit = f" {comparison.measure.unit}" if comparison.measure.unit else ""
    return f"{value}{unit} ({low} to {high}), {chance}, {found.of} cases"


def agreed(found: Agreement) -> str:
    """Write how far a judge agrees with the rules, in a sentence."""
    beyond = "not defined, as one of them always says the same" if found.kappa is None else f"{found.kappa:.2f}"
    return (
        f"agrees with the rules on {found.same} of {found.of} answers (Cohen's kappa {beyond}); "
        f"{found.lenient} only the judge finds right, {found.strict} only the rules"
    )


def show(evaluation: Evaluation, console: Console) -> None:
    """Show the figures, those of each kind of case, and what is different."""
    names = [each.name for each in evaluation.summaries]
    figures = _table(["", *names])
    for label, cells in rows(evaluation.summaries):
        figures.add_row(label, *cells)
    kinds = _table(["correct, by tag", *names])
    for tag in evaluation.tags:
        found = [each.by_tag.get(tag) for each in evaluation.summaries]
        kinds.add_row(Text(visible(tag)), *(f"{percent(each)} of {each.of}" if each else "–" for each in found))
    console.print(figures, kinds, sep="\n")
    for comparison in evaluation.comparisons:
        console.print(Text(visible(f"{comparison.verdict}: {difference(comparison)}")), soft_wrap=True)
    if evaluation.agreement:
        console.print(Text(visible(f"{evaluation.judge} {agreed(evaluation.agreement)}")), soft_wrap=True)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return all of it as JSON values."""
    return {
        "set": evaluation.name,
        "configurations": [asdict(each) for each in evaluation.summaries],
        "comparisons": [
            {
                "measure": each.measure.name,
                "first": each.first,
                "second": each.second,
                **asdict(each.difference),
                "chance": each.chance,
                "real": each.real,
                "verdict": each.verdict,
            }
            for each in evaluation.comparisons
        ],
        "judge": asdict(evaluation.agreement) | {"model": evaluation.judge} if evaluation.agreement else None,
        "results": [
            {
                "configuration": name,
                "correct": each.verdict.correct,
                "passed": each.verdict.passed,
                "faults": [asdict(fault) for fault in each.verdict.faults],
                "judged_right": each.judgement,
                **each.outcome.model_dump(mode="json", exclude={"name", "asked", "configuration"}),
            }
            for name, results in evaluation.results.items()
            for each in results
        ],
    }


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for heading in headings:
        table.add_column(Text(visible(heading)), overflow="fold")
    return table


def _number(estimate: Estimate | None, digits: int) -> str:
    if estimate is None:
        return "–"
    value, low, high = (f"{each:,.{digits}f}" for each in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})" if estimate.low < estimate.high else value


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _digits(value: float) -> int:
    """Return how many decimals show a value to three digits or so."""
    return 0 if abs(value) >= 100 else 2 if abs(value) >= 0.1 or not value else 5  # noqa: PLR2004
