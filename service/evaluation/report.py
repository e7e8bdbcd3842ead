"""The report: one HTML file with figures, plots and every case, which needs nothing from anywhere else."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from service import markup
from service.evaluation.checks import REPLY, written
from service.evaluation.plots import colour, shares, spread
from service.evaluation.summary import Result
from service.evaluation.tables import Evaluation, agreed, difference, rows
from service.markup import Markup, element, joined

STYLE = """\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.2rem .8rem;border-bottom:1px solid #8884}
td{vertical-align:top}figure{margin:1.5rem 0}svg{width:100%;max-width:52rem;font:11px system-ui,sans-serif}
svg text{fill:currentColor}.grid{stroke:#8886;stroke-width:1}
details{border-bottom:1px solid #8884;padding:.3rem 0}summary{cursor:pointer}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem;margin:.5rem 0 1rem}
.side{border-left:3px solid;padding-left:.8rem;overflow-wrap:anywhere}.answer{white-space:pre-wrap}
.muted{opacity:.7;font-size:.9em}.fault{color:#c0392b}ins{background:#2ecc7140;text-decoration:none}
del{background:#e74c3c30;text-decoration:none}
"""


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the report.

    Args:
        evaluation: what is reported.
        path: the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(evaluation), encoding="utf-8")


def page(evaluation: Evaluation) -> str:
    """Return the report as HTML."""
    title = f"Evaluation of {evaluation.name}"
    parts = [_figures(evaluation), _differences(evaluation), _judge(evaluation), _plots(evaluation), _cases(evaluation)]
    return markup.page(title, STYLE, *parts)


def _figures(evaluation: Evaluation) -> Markup:
    names = [
        element("th", each.name, style=f"color:{colour(position)}")
        for position, each in enumerate(evaluation.summaries)
    ]
    body = [
        element("tr", element("td", label), *(element("td", cell) for cell in cells))
        for label, cells in rows(evaluation.summaries)
    ]
    intervals = element("p", "In parentheses: the interval of 95 percent confidence.", class_="muted")
    return joined(element("table", element("tr", element("th", ""), *names), *body), intervals)


def _differences(evaluation: Evaluation) -> Markup:
    lines = [
        element("li", element("strong" if each.real else "span", each.verdict), f": {difference(each)}")
        for each in evaluation.comparisons
    ]
    return joined(element("h2", "What is different"), element("ul", *lines)) if lines else Markup()


def _judge(evaluation: Evaluation) -> Markup:
    return element("p", f"{evaluation.judge} {agreed(evaluation.agreement)}.") if evaluation.agreement else Markup()


def _plots(evaluation: Evaluation) -> Markup:
    summaries = evaluation.summaries
    overall = {
        "correct": [each.correct for each in summaries],
        "no fault at all": [each.passed for each in summaries],
        "says so if unanswerable": [each.refused for each in summaries],
        "citation coverage": [each.coverage for each in summaries],
        "plan quality": [each.plan_quality for each in summaries],
    }
    tags = {tag: [each.by_tag.get(tag) for each in summaries] for tag in evaluation.tags}
    seconds = {
        name: [turn for each in results for turn in each.outcome.seconds]
        for name, results in evaluation.results.items()
    }
    tokens = {name: [float(each.outcome.tokens) for each in results] for name, results in evaluation.results.items()}
    return joined(
        shares("Shares, with intervals of 95 percent confidence", overall),
        shares("Correct, by tag", tags),
        spread("Seconds a turn: the share of turns that take at most so long", seconds, "s"),
        spread("Tokens a case: the share of cases that take at most so many", tokens, ""),
    )


def _cases(evaluation: Evaluation) -> Markup:
    by_case: dict[str, list[tuple[int, str, Result]]] = {}
    for position, (name, results) in enumerate(evaluation.results.items()):
        for result in results:
            by_case.setdefault(result.case.id, []).append((position, name, result))
    groups: dict[str, list[Markup]] = {"Configurations differ": [], "None is correct": [], "All are correct": []}
    for sides in by_case.values():
        verdicts = {result.verdict.correct for _, _, result in sides}
        place = (
            "Configurations differ"
            if len(verdicts) > 1
            else "All are correct"
            if True in verdicts
            else "None is correct"
        )
        groups[place].append(_case(sides))
    return joined(
        *(joined(element("h2", f"{title}: {len(cases)}"), *cases) for title, cases in groups.items() if cases)
    )


def _case(sides: Sequence[tuple[int, str, Result]]) -> Markup:
    case = sides[0][2].case
    marks = " ".join(f"{'✓' if result.verdict.correct else '✗'} {name}" for _, name, result in sides)
    expected = "; ".join(written(fact) for fact in case.facts) or "that it does not know"
    first = sides[0][2].outcome.answer
    return element(
        "details",
        element(
            "summary", element("strong", case.id), f" — {marks} ", element("span", ", ".join(case.tags), class_="muted")
        ),
        element("p", *_lines(case.said)),
        element("p", f"Expected: {expected}", class_="muted"),
        element(
            "div", *(_side(each, None if number == 0 else first) for number, each in enumerate(sides)), class_="sides"
        ),
    )


def _side(side: tuple[int, str, Result], compared: str | None) -> Markup:
    position, name, result = side
    outcome = result.outcome
    shown = joined(outcome.answer) if compared is None else changes(compared, outcome.answer)
    steps = [
        f"{each.tool}({json.dumps(each.args, ensure_ascii=False)}) {each.status}"
        for each in outcome.steps
        if each.tool != REPLY
    ]
    cited = [f"[{each.number}] {each.document} {each.heading}" for each in outcome.cited]
    asked = [f"asked about {each.tool}: {each.answer}" for each in outcome.consents]
    flags = [f"flagged {flag.get('kind', '')}: {flag.get('text', '')}" for flag in outcome.flags]
    judged = [] if result.judgement is None else [f"judge: {'right' if result.judgement else 'wrong'}. {result.reason}"]
    figures = f"model calls: {len(outcome.calls)}, tokens: {outcome.tokens:,}, {sum(outcome.seconds):.1f} s"
    return element(
        "div",
        element("strong", name),
        element("p", shown, class_="answer"),
        *(element("p", fault.text, class_="fault") for fault in result.verdict.faults),
        element("p", *_lines([*steps, *cited, *asked, *flags, *judged, figures]), class_="muted"),
        class_="side",
        style=f"border-color:{colour(position)}",
    )


def changes(before: str, after: str) -> Markup:
    """Write a text with what is new and what is gone against another one, word by word."""
    old, new = re.findall(r"\s+|\S+", before), re.findall(r"\s+|\S+", after)
    parts: list[Markup] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind in ("delete", "replace"):
            parts.append(element("del", "".join(old[i:j])))
        if kind in ("insert", "replace"):
            parts.append(element("ins", "".join(new[k:m])))
        if kind == "equal":
            parts.append(joined("".join(new[k:m])))
    return joined(*parts)


def _lines(texts: Sequence[str]) -> list[Markup]:
    return [joined(text, element("br")) for text in texts]
