"""What an evaluation came to: figures, comparisons and a report that no text can break out of."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from bs4 import BeautifulSoup
from rich.console import Console

from service.evaluation.cases import Case
from service.evaluation.comparison import comparisons
from service.evaluation.outcomes import Cited, Outcome, StepTaken
from service.evaluation.report import changes, page, write_report
from service.evaluation.summary import Result, summary
from service.evaluation.tables import Evaluation, as_json, show

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)> \u202eevil [red]'


def result(number, right, name="a", *, case=None, cost=0.25, calls=2, judgement=None, **more):
    case = case or Case(id=f"case-{number}", question="Q", facts=["yes"], tags=["even" if number % 2 == 0 else "odd"])
    call = {"input": 90, "cached": 0, "output": 10, "cost": cost}
    outcome = Outcome(
        case=case.id,
        asked="q",
        configuration=name,
        name=name,
        answers=["yes" if right else "no"],
        calls=[call] * calls,
        seconds=[float(number)],
        **more,
    )
    return Result.of(case, outcome, judgement)


def test_a_summary_counts_what_is_there():
    refusing = Case(id="r", question="Q", refuses=True, tags=["unanswerable"])
    results = [
        result(1, True),
        result(2, False),
        result(3, False, case=refusing),
        result(4, True, failed="no model", flags=[{"kind": "number"}]),
    ]
    found = summary("a", results)
    assert (found.cases, found.failed, found.flags) == (4, 1, 1)
    assert (found.correct.value, found.refused.value, found.refused_needlessly.value) == (0.25, 0.0, 0.0)
    assert (found.model_calls.value, found.tokens.value, found.cost) == (2.0, 200.0, 2.0)
    assert (found.p50, round(found.p95, 2)) == (2.5, 3.85)
    assert {tag: each.value for tag, each in found.by_tag.items()} == {"odd": 1.0, "even": 0.0, "unanswerable": 0.0}
    assert (found.precision, found.coverage, found.plan_quality) == (None, None, None)


def test_a_cost_that_is_not_known_stays_so():
    found = summary("a", [result(1, True), result(2, True, cost=None)])
    assert (found.cost, found.unpriced) == (None, 1)


def test_configurations_are_compared_with_the_first_on_the_cases_that_both_have():
    ours = [result(number, True, calls=1) for number in range(20)]
    theirs = [result(number, number < 5, "b", calls=3) for number in range(18)]
    found = {each.measure.name: each for each in comparisons({"a": ours, "b": theirs})}
    assert "citation coverage" not in found
    assert found["correct"].difference.of == 18
    assert found["correct"].difference.value == pytest.approx(13 / 18)
    assert (found["correct"].real, found["correct"].verdict) == (True, "a is correct more often than b")
    assert found["model calls"].verdict == "a has fewer model calls than b"
    assert found["seconds"].verdict == "no difference in seconds that 17 cases can show"


def evaluation(judge=None):
    sides = {
        "first": [
            result(1, True, "first", judgement=judge and True),
            result(2, False, "first", judgement=judge and True),
        ],
        "second": [result(1, False, "second"), result(2, False, "second")],
    }
    return Evaluation.of("a set", sides, judge)


def test_the_page_shows_figures_plots_and_each_case():
    soup = BeautifulSoup(page(evaluation("m:judge")), "html.parser")
    assert [cell.text for cell in soup.select("table tr")[3].select("td")] == [
        "correct",
        "50% (9 to 91)",
        "0% (0 to 66)",
    ]
    assert [each.text for each in soup.select("h2")] == [
        "What is different",
        "Configurations differ: 1",
        "None is correct: 1",
    ]
    assert len(soup.select("figure svg")) == 4
    assert len(soup.select("circle")) > 0
    [summary_line] = [each for each in soup.select("summary") if "case-1" in each.text]
    assert "✓ first ✗ second" in summary_line.text
    assert [each.name for each in summary_line.parent.select(".answer ins, .answer del")] == ["del", "ins"]
    assert "m:judge agrees with the rules on 1 of 2 answers" in soup.text
    assert soup.select("script, link, img, iframe") == []


def test_a_mean_of_one_value_has_no_interval():
    console = Console(file=StringIO(), width=200)
    show(Evaluation.of("a set", {"a": [result(1, True)]}, None), console)
    [line] = [line for line in console.file.getvalue().splitlines() if "tokens a case" in line]
    assert line.split() == ["tokens", "a", "case", "200"]


def test_no_text_gets_out_of_its_place(tmp_path):
    case = Case(id=HOSTILE, question=HOSTILE, facts=[HOSTILE], tags=[HOSTILE])
    outcome = Outcome(
        case=case.id,
        asked="q",
        configuration="c",
        name=HOSTILE,
        answers=[HOSTILE],
        failed=HOSTILE,
        steps=[StepTaken(tool=HOSTILE, args={HOSTILE: HOSTILE}, status=HOSTILE, error=HOSTILE)],
        cited=[Cited(number=1, document=HOSTILE, heading=HOSTILE)],
        flags=[{"kind": HOSTILE, "text": HOSTILE, "detail": HOSTILE}],
    )
    other = outcome.model_copy(update={"answers": [f"other {HOSTILE}"]})
    results = {HOSTILE: [Result.of(case, outcome, False, HOSTILE)], "b": [Result.of(case, other)]}
    path = tmp_path / "new" / "report.html"
    write_report(Evaluation.of(HOSTILE, results, HOSTILE), path)
    soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    assert soup.select("script, img") == []
    assert [each for each in soup.find_all() if any(name.startswith("on") for name in each.attrs)] == []
    assert "<script>alert(1)</script>" in soup.title.text
    assert "\u202e" not in path.read_text("utf-8")
    shown = Console(file=StringIO(), width=200)
    show(Evaluation.of("set", results, HOSTILE), shown)
    assert "\u202e" not in shown.file.getvalue()


def test_changes_are_shown_word_by_word():
    assert changes("It takes 4 days.", "It takes 6 <b> days.") == ("It takes <del>4</del><ins>6 &lt;b&gt;</ins> days.")


def test_as_json_all_of_it_can_be_read():
    found = json.loads(json.dumps(as_json(evaluation())))
    assert [each["name"] for each in found["configurations"]] == ["first", "second"]
    assert found["judge"] is None
    assert [each["correct"] for each in found["results"]] == [True, False, False, False]
    assert found["results"][1]["faults"] == [{"aspect": "answer", "text": "it does not say yes"}]
    assert found["comparisons"][0]["measure"] == "correct"


def test_the_terminal_shows_figures_and_kinds():
    console = Console(file=StringIO(), width=160)
    show(evaluation(), console)
    said = console.file.getvalue()
    for expected in ("correct", "50% (9 to 91)", "even", "$1.0000", "no difference in correct that 2 cases can show"):
        assert expected in said, said
