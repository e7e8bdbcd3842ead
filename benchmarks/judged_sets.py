"""Documents and questions of which it is known which documents answer them."""

from __future__ import annotations

import ast
import csv
import json
import random
import re
import sysconfig
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from benchmarks.sdists import DJANGO, SCRAPY, pages

Item = TypeVar("Item")

MOST_DOCUMENTS = 2000
MOST_QUESTIONS = 1000

_SHORTEST_SECTION = 200
_FEWEST_WORDS = 3
_FEWEST_LINES = 4
# Release notes have the same headings over and over.
_NOT_PRODUCT = ("django/releases/", "django/internals/")
_NOT_LIBRARY = ("site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo")
_HEADING = re.compile(r"^(?P<text>\S.*)\n(?P<mark>[=\-~^\"*#+])(?P=mark){2,}\n", re.MULTILINE)
_SENTENCE = re.compile(r"(.+?[.?!])(?:\s|$)", re.DOTALL)
_ROLE = re.compile(r":[\w:]+:`~?([^`<]+?)(?:\s*<[^>]*>)?`")


@dataclass(frozen=True)
class Question:
    """A question and what answers it.

    Args:
        text: the question.
        relevant: how well documents answer it, by their names: 1 or more.
    """

    text: str
    relevant: Mapping[str, int]


@dataclass(frozen=True)
class JudgedSet:
    """A judged set.

    Args:
        name: what it is called.
        documents: their texts by file name.
        questions: its questions.
    """

    name: str
    documents: Mapping[str, str]
    questions: Sequence[Question]


@dataclass(frozen=True)
class Section:
    """A section of a page, without its heading.

    Args:
        page: name of the page.
        title: the page's title.
        heading: the section's heading.
        text: what stands under it.
    """

    page: str
    title: str
    heading: str
    text: str


def code() -> JudgedSet:
    """Return functions of this Python's standard library, and the first sentences of their docstrings as questions."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in library.rglob("*.py") if not {*path.relative_to(library).parts} & {*_NOT_LIBRARY})
    return _judged("code", (function for path in files for function in _functions(path)), ".py")


def docs() -> JudgedSet:
    """Return sections of Django's documentation, and their headings as questions.

    Raises:
        Unreachable: the documentation cannot be fetched.
    """
    return _judged("docs", ((_plain(each.heading), _document(each)) for each in _sections_of_django()), ".txt")


def faq() -> JudgedSet:
    """Return sections of Django's and Scrapy's documentation, and those headings that are questions.

    Raises:
        Unreachable: the documentation cannot be fetched.
    """
    sections = [*_sections_of_django(), *(each for page in pages(SCRAPY) for each in sections_of(*page))]
    asked = [each for each in sections if each.heading.endswith("?")]
    others = _sample([each for each in sections if not each.heading.endswith("?")], MOST_DOCUMENTS - len(asked))
    documents = {f"{number}.txt": _document(each) for number, each in enumerate([*asked, *others])}
    questions = [Question(_plain(each.heading), {f"{number}.txt": 1}) for number, each in enumerate(asked)]
    return JudgedSet("faq", documents, questions)


def beir(folder: Path) -> JudgedSet:
    """Return a set in BEIR's layout: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv`.

    Raises:
        OSError: a file is missing.
    """
    corpus = {line["_id"]: f"{line.get('title', '')}\n\n{line['text']}" for line in _lines(folder / "corpus.jsonl")}
    names = {identity: f"{number}.txt" for number, identity in enumerate(corpus)}
    relevant: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], {})[names[row["corpus-id"]]] = int(row["score"])
    queries = {line["_id"]: line["text"] for line in _lines(folder / "queries.jsonl")}
    questions = [Question(queries[identity], judged) for identity, judged in relevant.items()]
    documents = {names[identity]: text for identity, text in corpus.items()}
    return JudgedSet(folder.name, documents, _sample(questions, MOST_QUESTIONS))


SETS: dict[str, Callable[[], JudgedSet]] = {"code": code, "docs": docs, "faq": faq}


def sections_of(page: str, text: str) -> Iterator[Section]:
    """Yield the sections of a page in reStructuredText that say something."""
    headings = list(_HEADING.finditer(text))
    for heading, following in zip_longest(headings, headings[1:]):
        body = text[heading.end() : following.start() if following else len(text)].strip()
        if len(body) >= _SHORTEST_SECTION:
            yield Section(page, headings[0]["text"], heading["text"].strip(), body)


def _sections_of_django() -> Iterator[Section]:
    for name, text in pages(DJANGO):
        if not name.startswith(_NOT_PRODUCT):
            yield from sections_of(name, text)


def _document(section: Section) -> str:
    return f"{section.title}\n{'=' * len(section.title)}\n\n{section.text}\n"


def _plain(heading: str) -> str:
    return _ROLE.sub(r"\1", heading).replace("`", "")


def _functions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the first sentence of each function's docstring, and the function without its docstring."""
    source = path.read_text(encoding="utf-8", errors="replace")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not (said := ast.get_docstring(node)):
            continue
        docstring = node.body[0]
        kept = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : node.end_lineno]
        if len(kept) >= _FEWEST_LINES:
            yield _first_sentence(said), textwrap.dedent("\n".join(kept))


def _first_sentence(text: str) -> str:
    paragraph = text.strip().partition("\n\n")[0]
    found = _SENTENCE.match(paragraph)
    return " ".join((found[1] if found else paragraph).split())


def _judged(name: str, pairs: Iterable[tuple[str, str]], ending: str) -> JudgedSet:
    """Return a set in which each question has one answer, leaving out what is asked twice or in too few words."""
    listed = list(dict.fromkeys(pairs))
    asked = Counter(question.lower() for question, _ in listed)
    sample = _sample(listed, MOST_DOCUMENTS)
    documents = {f"{number}{ending}": text for number, (_, text) in enumerate(sample)}
    questions = [
        Question(question, {f"{number}{ending}": 1})
        for number, (question, _) in enumerate(sample)
        if asked[question.lower()] == 1 and len(question.split()) >= _FEWEST_WORDS
    ]
    return JudgedSet(name, documents, _sample(questions, MOST_QUESTIONS))


def _sample(items: Sequence[Item], most: int) -> list[Item]:
    return list(items) if len(items) <= most else random.Random(0).sample(items, most)


def _lines(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
