import pytest

from agent.knowledge.chunks import Chunk
from agent.knowledge.formats import Unreadable, split


def table(document: str) -> list[Chunk]:
    return split(document.encode(), "stores.csv", "csv")


def test_rows_stand_under_the_names_of_their_columns() -> None:
    document = "id,city,note\n" + "\n".join(f"{n},Utrecht,{'x' * 30}" for n in range(100))
    chunks = table(document)
    assert len(chunks) > 2
    assert {(chunk.title, chunk.heading) for chunk in chunks} == {("stores", "Columns: id, city, note")}
    assert "\n".join(chunk.text for chunk in chunks) == document
    assert [chunk.first_line for chunk in chunks[1:]] == [chunk.last_line + 1 for chunk in chunks[:-1]]


def test_a_row_of_several_lines_is_not_cut() -> None:
    rows = [f'{n},"first line\n{"second line " * 20}"' for n in range(20)]
    assert all(
        chunk.text.startswith(("id", "0", *map(str, range(20)))) for chunk in table("id,text\n" + "\n".join(rows))
    )


@pytest.mark.parametrize("mark", ";\t|")
def test_columns_may_be_told_apart_by_other_marks(mark: str) -> None:
    assert table(f"id{mark}city, country{mark}note\n1{mark}x{mark}y")[0].heading == "Columns: id, city, country, note"


@pytest.mark.parametrize("document", ["1,2,3\n4,5,6", "name,2024,2025\na,1,2", "a,,c\n1,2,3"])
def test_a_table_without_names_has_no_heading(document: str) -> None:
    assert [chunk.heading for chunk in table(document)] == [""]


def test_a_quotation_mark_that_is_never_closed() -> None:
    with pytest.raises(Unreadable, match="row 2: field larger"):
        table('a,b\n"' + "x\n" * 100_000)
