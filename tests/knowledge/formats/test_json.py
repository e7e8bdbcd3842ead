import json

import pytest

from agent.knowledge.chunks import Chunk
from agent.knowledge.formats import Unreadable, split

RECORDS = [{"question": f"What about {n}?", "answer": ["x" * 250, {"n": n}]} for n in range(20)]


def chunks_of(document: str, kind: str = "json") -> list[Chunk]:
    return split(document.encode(), "data.json", kind)


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_cut_between_elements(indent: int | None) -> None:
    chunks = chunks_of(json.dumps(RECORDS, indent=indent))
    read = [record for chunk in chunks for record in json.loads("[" + chunk.text.strip("[], \n") + "]")]
    assert len(chunks) > 5
    assert read == RECORDS


def test_an_object_is_cut_between_members() -> None:
    document = {f"key {n}": record for n, record in enumerate(RECORDS)}
    chunks = chunks_of(json.dumps(document))
    assert all(chunk.text.lstrip("{").startswith('"key ') for chunk in chunks)


def test_lines_stay_whole_records() -> None:
    document = "\n".join(map(json.dumps, RECORDS))
    chunks = chunks_of(document, "jsonl")
    assert [json.loads(line) for chunk in chunks for line in chunk.text.splitlines()] == RECORDS
    assert (chunks[0].first_line, chunks[-1].last_line) == (1, 20)


@pytest.mark.parametrize("document", ['"text"', "12", "null", " [] ", "{}", f"[{'9' * 10_000}]", '["a\tb"]', "[1, 2]"])
def test_small_values_are_one_passage(document: str) -> None:
    assert "".join(chunk.text for chunk in chunks_of(document)).startswith(document.strip()[:800])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "no JSON: .* line 1 column 2"),
        ('{"a": 1} {}', "Extra data"),
        ("not JSON", "no JSON"),
        ("[1,]", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_others_are_unreadable(document: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        chunks_of(document)


def test_an_empty_file_has_no_passage() -> None:
    assert chunks_of(" \n") == []
