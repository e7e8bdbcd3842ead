"""Configurations from the command line."""

from __future__ import annotations

import pytest

from agent.errors import SettingsError
from agent.settings import Settings
from service.evaluation.configurations import configurations


def short(given, models=()):
    return [(each.name, each.graph, each.fields) for each in configurations(given, models)]


def test_names_of_graphs_stand_for_them():
    assert short(["assistant", "react"]) == [("assistant", "assistant", {}), ("react", "react", {})]
    assert short([]) == [("assistant", "assistant", {})]


def test_fields_are_json_or_text():
    assert short(['wide=top_k=8,model=local,fallbacks=["a:b","c"],graph=react']) == [
        ("wide", "react", {"top_k": 8, "model": "local", "fallbacks": ["a:b", "c"]})
    ]


def test_each_runs_on_each_model_unless_it_has_its_own():
    assert short([], ["m1", "m2"]) == [("m1", "assistant", {"model": "m1"}), ("m2", "assistant", {"model": "m2"})]
    assert short(["react", "own=model=x"], ["m1"]) == [
        ("react", "react", {"model": "m1"}),
        ("own", "assistant", {"model": "x"}),
    ]
    assert [name for name, _, _ in short(["react", "wide=top_k=8"], ["m1", "m2"])] == [
        "react m1",
        "react m2",
        "wide m1",
        "wide m2",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a=top_k"], "write NAME=field=value"),
        (["a=top_k=0"], "top_k"),
        (["a=nothing=1"], "nothing: Extra inputs"),
        (["a=graph=tree"], "graph"),
        (["a", "a"], "several configurations are named a"),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(SettingsError, match=said):
        configurations(given, [])


def test_a_fingerprint_changes_with_all_that_it_stands_for(tmp_path):
    (tmp_path / "personas").mkdir()
    persona = tmp_path / "personas" / "ours.md"
    persona.write_text("Speak plainly.")
    [given, wide, react] = configurations(
        ["a=persona=ours", "wide=persona=ours,top_k=9", "r=persona=ours,graph=react"], []
    )
    before = given.fingerprint(Settings())
    assert before == given.fingerprint(Settings())
    changed = [wide.fingerprint(Settings()), react.fingerprint(Settings()), given.fingerprint(Settings(model="a:b"))]
    persona.write_text("Speak in verse.")
    changed.append(given.fingerprint(Settings()))
    assert len({before, *changed}) == 5


def test_a_person_is_asked_about_every_write_whatever_the_settings_say():
    [given] = configurations(['a=approvals={"*":"never"}'], [])
    assert given.context().approvals == {"*": "always"}
