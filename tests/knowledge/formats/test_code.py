import pytest

from agent.knowledge.chunks import Chunk
from agent.knowledge.formats import split

PYTHON = '''"""A client."""

import os


# Why it is so.
@dataclass
class Client:
    """Calls the server."""

    timeout = 3

    @property
    def name(self):
        def inner():
            return 1
        return inner()

    async def call(self, path):
        return path


LIMIT = 5


def main():
    print(LIMIT)
'''


def code(document: str) -> list[Chunk]:
    return split(document.encode(), "client.py", "code")


def test_definitions_are_headings_with_what_stands_above_them() -> None:
    chunks = code(PYTHON)
    assert [(chunk.heading, chunk.first_line, chunk.last_line) for chunk in chunks] == [
        ("", 1, 3),
        ("class Client", 6, 11),
        ("class Client › def name", 13, 17),
        ("class Client › async def call", 19, 20),
        ("", 23, 23),
        ("def main", 26, 27),
    ]
    assert chunks[1].text.startswith("# Why it is so.\n@dataclass\nclass Client:")


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("export default async function load(url) {", "export default async function load"),
        ("export const load = async (url) => {", "export const load"),
        ("const total = items => {", "const total"),
        ("func (s *Server) Start(ctx Context) error {", "func (s *Server) Start"),
        ("type Server struct {", "type Server"),
        ("pub(crate) fn parse<T>(text: &str) -> T {", "pub(crate) fn parse"),
        ("impl<T> Iterator for Rows<T> {", "impl<T> Iterator"),
        ("public final class Order extends Base {", "public final class Order"),
        ("CREATE TABLE IF NOT EXISTS orders (", "CREATE TABLE IF NOT EXISTS orders"),
        ("create or replace view recent as", "create or replace view recent"),
        ("def empty?", "def empty"),
        ("message Order {", "message Order"),
        ("type of the thing that we return", ""),
        ("class of 2025 was large", ""),
        ("type: object", ""),
        ("definition = 1", ""),
        ("const total = 5;", ""),
    ],
)
def test_definitions_in_many_languages(line: str, heading: str) -> None:
    assert [chunk.heading for chunk in code(f"{line}\n  body\n")] == [heading]


def test_a_long_function_is_cut_between_lines() -> None:
    lines = [f"    value_{n} = compute(the, arguments, {n})" for n in range(80)]
    chunks = code("def long():\n" + "\n".join(lines))
    assert [line.strip() for chunk in chunks for line in chunk.text.splitlines()][1:] == [
        line.strip() for line in lines
    ]
    assert {chunk.heading for chunk in chunks} == {"def long"}


@pytest.mark.parametrize(
    "source",
    [
        "def a" + "(" * 100_000,
        "const a " * 50_000,
        "# a\n" * 50_000 + "def f():\n" * 50,
        "let " + "a" * 1_000_000,
    ],
)
def test_hostile_source_is_read_in_time(source: str) -> None:
    assert code(source)
