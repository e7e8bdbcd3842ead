"""Whatever README and docs/ tell people to type exists: commands with their options, settings, imports and links."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from agent.settings import Settings
from service.cli import app

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of a language, each with the name of its page."""
    for page in PAGES:
        for _, name, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if name == language:
                yield page.name, text


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the words behind `selfhelp` of every line that calls it."""
    for page, text in blocks("bash"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for part in split(words):
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


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parse the words as the command line does, without running anything."""
    context = command.make_context(command.name or "selfhelp", list(words), parent=parent)
    if isinstance(command, click.Group) and context._protected_args:
        rest = [*context._protected_args, *context.args]
        _, inner, rest = command.resolve_command(context, rest)
        assert inner is not None
        parse(inner, rest, context)


@pytest.mark.parametrize(
    ("page", "words"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_a_command_exists_with_its_options(page, words):
    parse(typer.main.get_command(app), words)


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_settings_are_taken(page, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Settings(**tomllib.loads(text))


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_python_imports_what_there_is(page, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {
            "agent",
            "graphs",
            "tools",
            "service",
        }:
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_message_of_the_troubleshooting_page_stands_in_the_code():
    code = "".join(
        path.read_text(encoding="utf-8")
        for part in ("agent", "tools", "service")
        for path in (REPOSITORY / part).rglob("*.py")
    )
    # Messages are written in several pieces where they are long.
    joined = re.sub(r'"\s*\n\s*f?"', "", code)
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    for headline in re.findall(r"^\*\*.*\*\*$", page, re.MULTILINE):
        for message in re.findall(r"`([^`]+)`", headline):
            for piece in re.split(r"…|\(|\)|'|selfhelp\.toml", message):
                assert piece.strip(" :*") in joined or "selfhelp" in piece, f"no error says {piece!r}"
