from __future__ import annotations

import pytest

from agent.context import Context
from agent.errors import SettingsError
from agent.personas import find_personas
from agent.run import Assistant
from agent.settings import Settings, SourceSettings, load_settings

PERSONA = """---
name: pirate
description: Speaks like one.
model: compatible:ship
temperature: 0.9
tools: [calculator]
---
You are a pirate.
"""


async def no_tools(_settings):
    return []


@pytest.fixture
def personas(tmp_path):
    folder = tmp_path / "personas"
    folder.mkdir()
    (folder / "pirate.md").write_text(PERSONA)
    return folder


async def test_a_runs_context_goes_before_the_persona_and_that_before_the_settings(personas):
    settings = Settings(personas_dir=personas, model="compatible:settings", temperature=0.1, top_k=9, max_rounds=2)
    persona_only = Context(persona="pirate", tools=[])
    run = await Assistant(no_tools, settings=settings).run(persona_only)
    assert (run.context.model, run.context.temperature, run.context.top_k) == ("compatible:ship", 0.9, 9)
    run = await Assistant(no_tools, settings=settings).run(
        Context(persona="pirate", tools=[], temperature=0.0, max_rounds=7)
    )
    assert (run.context.model, run.context.temperature, run.context.max_rounds) == ("compatible:ship", 0.0, 7)


async def test_an_explicit_value_is_kept_even_if_it_is_the_default(personas):
    settings = Settings(personas_dir=personas, top_k=9)
    assert (await Assistant(no_tools, settings=settings).run(Context(top_k=4))).context.top_k == 4
    assert (await Assistant(no_tools, settings=settings).run(Context())).context.top_k == 9


async def test_a_persona_chosen_in_the_settings_is_spoken_as(personas):
    run = await Assistant(no_tools, settings=Settings(personas_dir=personas, persona="sql")).run(None)
    assert run.persona.name == "sql"


def test_three_personas_ship_and_ones_own_are_found_beside_them(personas):
    found = find_personas(personas)
    assert list(found) == ["helpdesk", "sql", "tutor", "pirate"]
    assert all(persona.prompt and persona.description for persona in found.values())
    assert found["pirate"].layer() == {"model": "compatible:ship", "temperature": 0.9, "tools": ["calculator"]}


def test_ones_own_persona_takes_the_place_of_a_shipped_one(personas):
    (personas / "helpdesk.md").write_text("You are terse.")
    assert find_personas(personas)["helpdesk"].prompt == "You are terse."


@pytest.mark.parametrize(
    "text",
    [
        "---\nname: [\n---\nx",
        "---\nunknown: 1\n---\nx",
        "---\nname: x\n---\n",
        "---\n- a\n---\nx",
        "---\ntemperature: 9\n---\nx",
    ],
)
def test_a_persona_file_with_a_mistake_is_named(personas, text):
    (personas / "broken.md").write_text(text)
    with pytest.raises(SettingsError, match=r"broken\.md"):
        find_personas(personas)


def test_the_environment_goes_over_the_file_and_reaches_tables(tmp_path, monkeypatch):
    (tmp_path / "selfhelp.toml").write_text(
        'top_k = 7\npersona = "tutor"\n[knowledge]\nsources = ["docs", {at = "a.zip", collection = "staff"}]\nembedder = "none"\n'
    )
    monkeypatch.setenv("SELFHELP_TOP_K", "3")
    monkeypatch.setenv("SELFHELP_KNOWLEDGE__EMBEDDER", "minilm")
    settings = load_settings()
    assert (settings.top_k, settings.persona) == (3, "tutor")
    assert settings.knowledge.sources == [SourceSettings(at="docs"), SourceSettings(at="a.zip", collection="staff")]
    assert settings.knowledge.embedder == "minilm"


def test_keys_do_not_show(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-one")
    monkeypatch.setenv("SELFHELP_API_KEY", "sk-secret-two")
    monkeypatch.setenv("SELFHELP_DATABASE_URL", "postgresql://u:secret-three@h/d")
    settings = load_settings()
    assert "secret-" not in repr(settings) + settings.model_dump_json()


def test_a_mistake_names_the_key_and_not_the_value(monkeypatch):
    monkeypatch.setenv("SELFHELP_TOP_K", "my-secret")
    with pytest.raises(SettingsError, match="top_k") as raised:
        load_settings()
    assert "my-secret" not in str(raised.value)


def test_an_address_of_another_database_is_refused_without_its_password(monkeypatch):
    monkeypatch.setenv("SELFHELP_DATABASE_URL", "mysql://ann:secret-word@db/help")
    with pytest.raises(SettingsError, match="only PostgreSQL") as refused:
        load_settings()
    assert "secret-word" not in str(refused.value)


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(tmp_path):
    (tmp_path / "selfhelp.toml").write_text('modle = "local"\n[knowledge]\nsorces = []\n')
    with pytest.raises(SettingsError, match=r"modle: there is no such setting; is it model\?"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SELFHELP_TOPK", "SELFHELP_TOPK (is it SELFHELP_TOP_K?)"),
        ("SELFHELP_KNOWLEDGE_EMBEDDER", "SELFHELP_KNOWLEDGE_EMBEDDER (is it SELFHELP_KNOWLEDGE__EMBEDDER?)"),
        ("SELFHELP_OPENAI_API_KEY", "SELFHELP_OPENAI_API_KEY (is it OPENAI_API_KEY?)"),
        ("SELFHELP_PORT", "SELFHELP_PORT"),
    ],
)
def test_a_variable_that_sets_nothing_is_told_with_the_one_that_was_meant(monkeypatch, caplog, variable, said):
    monkeypatch.setenv(variable, "my-secret")
    load_settings()
    assert caplog.messages == [f"no setting is called {said}"]


def test_of_variables_that_are_read_none_is_told(monkeypatch, caplog):
    for variable, value in (
        ("SELFHELP_TOP_K", "7"),
        ("selfhelp_model", "local"),
        ("SELFHELP_BUDGETS__DAY__COST", "1"),
        ("SELFHELP_CACHE_DIR", "cache"),
        ("OPENAI_API_KEY", "sk-x"),
    ):
        monkeypatch.setenv(variable, value)
    assert load_settings().top_k == 7
    assert caplog.messages == []


def test_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "selfhelp.toml").write_text("top_k = 7\n", encoding="utf-8-sig")
    assert load_settings().top_k == 7


def test_folders_may_be_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SELFHELP_DATA_DIR", "~/data")
    assert load_settings().data_dir == tmp_path / "data"
