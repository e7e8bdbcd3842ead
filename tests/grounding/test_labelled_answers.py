"""The figures that the documentation gives hold: flags against answers labelled by hand."""

from __future__ import annotations

import pytest

from benchmarks.grounding import DATA, HALVES, KINDS, measured, read


@pytest.mark.parametrize("half", HALVES)
def test_flags_are_mostly_right_and_mostly_found(half):
    cases = list(read(DATA / f"{half}.jsonl"))
    score, _ = measured(cases, times=1)
    assert len(cases) > 100
    for kind in KINDS:
        assert score.right[kind] >= 0.95 * score.given[kind], (kind, score.wrong)
        assert score.found[kind] >= 0.75 * score.wanted[kind], (kind, score.wrong)
