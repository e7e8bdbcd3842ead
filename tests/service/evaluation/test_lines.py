"""Files of records that only grow."""

from __future__ import annotations

from contextlib import closing

import pytest

from agent.errors import SelfhelpError
from service.evaluation.lines import Lines, put_aside
from service.evaluation.outcomes import Outcome


def outcome(case: str, **more) -> Outcome:
    return Outcome(case=case, asked="q", configuration="c", name="n", **more)


def opened(path):
    return closing(Lines(path, Outcome))


def test_what_was_kept_is_there_again_and_the_last_counts(tmp_path):
    path = tmp_path / "new" / "outcomes.jsonl"
    with opened(path) as lines:
        lines.add(outcome("a", failed="no model"))
        lines.add(outcome("b", answers=["Ünï\u2028code"]))
        lines.add(outcome("a", answers=["now"]))
    with opened(path) as lines:
        assert lines.get(outcome("a").key).answer == "now"
        assert lines.get(outcome("b").key).answer == "Ünï\u2028code"
        assert lines.get(outcome("c").key) is None


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_a_kill_cut_short_is_dropped_and_the_file_goes_on(tmp_path, cut):
    path = tmp_path / "outcomes.jsonl"
    with opened(path) as lines:
        lines.add(outcome("a"))
        lines.add(outcome("b"))
    path.write_bytes(path.read_bytes()[:-cut])
    with opened(path) as lines:
        assert lines.get(outcome("b").key) is None
        lines.add(outcome("c"))
    with opened(path) as lines:
        assert [lines.get(outcome(name).key) is not None for name in "abc"] == [True, False, True]


def test_another_file_is_left_alone(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("my notes\nmore\n")
    with pytest.raises(SelfhelpError, match=r"notes.jsonl, line 1, is no Outcome"):
        Lines(path, Outcome)
    assert path.read_text() == "my notes\nmore\n"


def test_what_is_put_aside_is_kept(tmp_path):
    path = tmp_path / "outcomes.jsonl"
    for content in ("first", "second"):
        path.write_text(content)
        put_aside(path)
    put_aside(path)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "outcomes.1.jsonl": "first",
        "outcomes.2.jsonl": "second",
    }
