from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.chunks import LIMIT, LONGEST_HEADING, OVERLAP, Heading, Outline, cut, keyed

TEXTS = st.text(alphabet="ab .\n", max_size=3000)


@given(document=TEXTS, places=st.lists(st.integers(0, 3000), max_size=20), title=st.sampled_from(["", "Title"]))
def test_passages_are_quotes_of_bounded_length_wherever_the_boundaries_are(document, places, title) -> None:
    places = sorted(place for place in places if place <= len(document))
    outline = Outline(title, [Heading(0, 0, 0, "")], [places])
    chunks = list(cut(document, outline, "notes.txt"))
    covered = bytearray(len(document))
    for chunk in chunks:
        assert chunk.text == document[chunk.start : chunk.end] == chunk.text.strip() != ""
        assert len(chunk.text) <= LIMIT
        assert chunk.title == (title or "notes")
        covered[chunk.start : chunk.end] = b"x" * len(chunk.text)
    assert all(seen or character.isspace() for seen, character in zip(covered, document, strict=True))
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end - after.start <= OVERLAP


def test_a_long_section_is_cut_at_the_best_boundaries_there_are() -> None:
    document = "x" * 2000
    outline = Outline("", [Heading(0, 0, 0, "")], [[500], [600, 1250]])
    starts = [chunk.start for chunk in cut(document, outline, "x")]
    assert starts[:3] == [0, 500, 1250]


def test_headings_lead_to_a_passage_and_the_title_is_not_repeated() -> None:
    document = "A\nB\nb\nC\nc"
    outline = Outline("A", [Heading(0, 2, 1, "A"), Heading(2, 4, 2, "B"), Heading(6, 8, 2, "C")], [])
    chunks = list(cut(document, outline, "x"))
    assert [(chunk.heading, chunk.text) for chunk in chunks] == [("B", "A\nB\nb"), ("C", "C\nc")]
    assert chunks[0].embedded == "A › B\nA\nB\nb"


def test_keys_stay_for_what_stays_and_differ_for_the_same_text_again() -> None:
    def chunks(*texts: str) -> list:
        document = "\n".join(texts)
        starts = [
            document.index(text) if n == 0 else sum(len(t) + 1 for t in texts[:n]) for n, text in enumerate(texts)
        ]
        return list(cut(document, Outline("T", [Heading(start, start, 1, "") for start in starts], []), "a.md"))

    before, after = chunks("first", "same", "same"), chunks("other", "same", "same")
    old, new = keyed(before, "default", "a.md"), keyed(after, "default", "a.md")
    assert len(old) == len(new) == 3
    assert len(old.keys() & new.keys()) == 2
    assert not old.keys() & keyed(before, "other", "a.md").keys()


def test_a_title_is_never_empty_or_too_long() -> None:
    [chunk] = cut("text", Outline("", [Heading(0, 0, 0, "")], []), ".hidden")
    assert 0 < len(chunk.title) <= LONGEST_HEADING
