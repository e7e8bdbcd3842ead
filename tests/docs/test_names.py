"""Whatever README and docs/ tell people to type exists: commands with their options, settings, imports and links."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from agent.context import Context
from agent.settings import Settings
from graphs.assistant import graph
from service.cli import app
from tests.docs.reading import PAGES, REPOSITORY, blocks, inline_commands, text_of

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def shown(*languages: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of some languages, each with the name of its page."""
    for page in PAGES:
        for language, text in blocks(page):
            if language in languages:
                yield page, text


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the words behind `selfhelp` of every line that calls it."""
    for page, text in shown("bash", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            if "selfhelp " not in line or (text.startswith("$ ") and not line.startswith("$ ")):
                continue
            for part in split(shlex.split(line, comments=True)):
                if "selfhelp" in part:
                    yield page, part[part.index("selfhelp") + 1 :]


def split(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands of a line."""
    part: list[str] = []
    for word in words:
        if word in ("&&", "||", "|", ";", "&", ">", "<", ">>"):
            yield part
            part = []
        else:
            part.append(word)
    yield part


def parse(command: Any, words: list[str], parent: Any = None) -> None:
    """Parse the words as the command line does, without running anything."""
    context = command.make_context(command.name or "selfhelp", list(words), parent=parent)
    if isinstance(command, TyperGroup) and (rest := [*context._protected_args, *context.args]):
        _, inner, rest = command.resolve_command(context, rest)
        parse(inner, rest, context)


@pytest.mark.parametrize(
    ("page", "words"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_a_command_exists_with_its_options(page, words):
    parse(typer.main.get_command(app), words)


def test_a_command_that_does_not_exist_is_found_out():
    for words in (["indecks"], ["index", "--prun"], ["keys", "make"]):
        with pytest.raises(Exception, match="No such"):
            parse(typer.main.get_command(app), words)


@pytest.mark.parametrize(("page", "text"), list(shown("toml")))
def test_settings_are_taken(page, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Settings(**tomllib.loads(text))


@pytest.mark.parametrize(("page", "text"), list(shown("bash")))
def test_groups_and_extras_are_there(page, text):
    project = tomllib.loads(text_of("pyproject.toml"))
    assert set(re.findall(r"--group (\w+)", text)) <= project["dependency-groups"].keys()
    assert set(re.findall(r"selfhelp\[(\w+)\]", text)) <= project["project"]["optional-dependencies"].keys()


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_are_there_with_their_options(page):
    for command in inline_commands(page):
        found, words = typer.main.get_command(app), command.split()[1:]
        while isinstance(found, TyperGroup) and words and words[0] in found.commands:
            found = found.commands[words.pop(0)]
        assert found.name != "selfhelp", f"{page}: there is no command {command}"
        options = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, f"{page}: {command}"


def test_the_two_commands_of_the_first_screen_are_there():
    first_screen = "\n".join(text_of("README.md").splitlines()[:20])
    for command in ("demo", "pytest"):
        assert re.search(rf"pip install uv && uv run --group local (selfhelp )?{command}\n", first_screen)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in LINK.findall(text_of(page)):
        assert (REPOSITORY / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_the_reference_of_settings_tells_those_of_a_run_from_those_of_the_deployment():
    written = runpy.run_path(str(REPOSITORY / "docs" / "hooks.py"))["settings"]()
    of_a_run, deployment = written.split("## Of the deployment")
    named = set(re.findall(r"^\| `(\w+)`", of_a_run, re.MULTILINE))
    assert {"model", "top_k"} < named < Context.model_fields.keys()
    assert "| `data_dir` |" in deployment
    assert "`OPENAI_API_KEY`" in deployment
    assert "key_budget" not in written
    assert re.search(r"`flags`.* `true` \|\n", written)


def test_the_picture_of_the_graph_shows_its_edges():
    drawn = set(runpy.run_path(str(REPOSITORY / "docs" / "draw.py"))["EDGES"])
    plans_that_fail = {("planner", "responder"), ("responder", "responder")}
    assert drawn | plans_that_fail == {(edge.source, edge.target) for edge in graph.get_graph().edges}


def test_every_message_of_the_troubleshooting_page_stands_in_the_code():
    code = "".join(
        path.read_text(encoding="utf-8")
        for part in ("agent", "tools", "service")
        for path in (REPOSITORY / part).rglob("*.py")
    )
    # Messages are written in several pieces where they are long.
    joined = re.sub(r'"\s*\n\s*f?"', "", code)
    for headline in re.findall(r"^\*\*.*\*\*$", text_of("docs/troubleshooting.md"), re.MULTILINE):
        for message in re.findall(r"`([^`]+)`", headline):
            for piece in re.split(r"…|\(|\)|'|selfhelp\.toml", message):
                assert piece.strip(" :*") in joined or "selfhelp" in piece, f"no error says {piece!r}"
