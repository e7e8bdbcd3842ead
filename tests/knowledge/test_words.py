"""Words: which chunks hold a query's words, and in which order they come."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge import words
from agent.knowledge.database import Database
from agent.knowledge.words import MOST_WORDS, WordScores, has_words, identifier_parts, telling

PLAIN = """SELECT words.rowid, -bm25(words, 1, 2, 1, 1) FROM words JOIN chunks ON chunks.id = words.rowid
    JOIN documents ON documents.id = document WHERE words MATCH ? AND {} ORDER BY 2 DESC, 1 LIMIT ?"""


class Index:
    """A database of one-chunk documents."""

    def __init__(self, path: Path):
        self.database = Database(path)
        self.scores = WordScores()

    def add(self, *texts, collection="default", heading="", title="") -> list[int]:
        with self.database.writing() as db:
            return [self._add(db, text, collection, heading, title) for text in texts]

    def _add(self, db, text, collection, heading, title) -> int:
        [row] = db.execute("SELECT ifnull(max(id), 0) + 1 FROM documents").fetchone()
        db.execute(
            "INSERT INTO documents VALUES (?, ?, 'docs', ?, '', '', '', 'md', NULL, ?)", [row, collection, row, row]
        )
        columns = [row, str(row), row, title, heading, text, identifier_parts(text)]
        db.execute(
            """INSERT INTO chunks (id, key, document, title, heading, text, identifiers, start_offset, end_offset)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)""",
            columns,
        )
        return row

    def remove(self, row) -> None:
        with self.database.writing() as db:
            db.execute("DELETE FROM documents WHERE id = ?", [row])

    def ranked(self, query, limit=100, where="", values=()) -> dict[int, float]:
        with self.database.reading() as db:
            return self.scores.ranked(db, query, limit, where, values)

    def plain(self, query, limit=100, where="TRUE", values=()) -> dict[int, float]:
        """What FTS5 makes of a query itself."""
        expression = " OR ".join(f'"{word}"' for word in telling(query))
        with self.database.reading() as db:
            return dict(db.execute(PLAIN.format(where), [expression, *values, limit]).fetchall())


@pytest.fixture
def index(tmp_path) -> Iterator[Index]:
    opened = Index(tmp_path / "index.db")
    yield opened
    opened.database.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Iterator[Index]:
    """Many chunks of words, some of which are common and most of which are rare; one in 20 is of the collection staff."""
    opened = Index(tmp_path_factory.mktemp("shelf") / "index.db")
    draw = random.Random(7)
    vocabulary = [f"word{number}" for number in range(300)]
    weights = [1 / (rank + 1) for rank in range(300)]
    for collection, count in (("default", 950), ("staff", 50)):
        texts = [draw.choices(vocabulary, weights, k=draw.randint(5, 60)) for _ in range(count)]
        opened.add(*map(" ".join, texts), collection=collection, heading=vocabulary[draw.randrange(9)])
    yield opened
    opened.database.close()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("call getOrder_byId now", "get Order by Id"),
        ("max_retry_count", "max retry count"),
        ("HTTPServer2Go", "HTTP Server 2 Go"),
        ("plain words, McDonald and 3.5", "Mc Donald"),
        ("退货期限 30 天", "退货 货期 期限"),
        ("ギフトカード getOrder", "get Order ギフ フト トカ カー ード"),
        ("", ""),
    ],
)
def test_identifiers_are_taken_apart(text, parts) -> None:
    assert identifier_parts(text) == parts


@pytest.mark.parametrize(
    ("text", "found"), [("order", True), ("7", True), ("日本", True), ("?! …", False), ("", False)]
)
def test_tells_whether_there_are_words(text, found) -> None:
    assert has_words(text) == found


@pytest.mark.parametrize(
    ("query", "looked_up"),
    [
        ("How do I return the order?", ["return", "order"]),
        ("who are you", ["who", "are", "you"]),
        ("order order ORDER", ["order", "ORDER"]),
        ("is it getOrder", ["getOrder", "Order"]),
    ],
)
def test_the_commonest_words_are_left_out_where_there_are_others(query, looked_up) -> None:
    assert telling(query) == looked_up


def test_no_more_words_are_looked_up_than_allowed() -> None:
    assert telling(" ".join(f"w{number}" for number in range(1000))) == [f"w{number}" for number in range(MOST_WORDS)]


@pytest.mark.parametrize("query", ["returned", "RETURNS", "returning a parcel", "Rétürn"])
def test_words_are_found_in_their_other_forms(index, query) -> None:
    index.add("Something else.", "You may return it.")
    assert list(index.ranked(query)) == [2]


@pytest.mark.parametrize("query", ["retry", "max_retry_count", "maxRetryCount", "count of retries"])
def test_identifiers_are_found_whole_and_in_parts(index, query) -> None:
    index.add("Something else.", "Set max_retry_count.")
    assert list(index.ranked(query)) == [2]


def test_a_heading_counts_more_than_the_text(index) -> None:
    index.add("Fees are due.")
    index.add("Costs are due.", heading="Fees")
    index.add("Nothing here.")
    assert list(index.ranked("fees")) == [2, 1]


def test_chunks_that_score_the_same_come_by_row_number(index) -> None:
    index.add(*["The same parcel."] * 9, "Another.")
    assert list(index.ranked("parcel", limit=4)) == [1, 2, 3, 4]


@pytest.mark.parametrize("query", ["", "?!", "nowhere", "_", "what is this"])
def test_nothing_is_found_where_no_word_fits(index, query) -> None:
    assert index.ranked(query) == {}
    index.add("A parcel.")
    assert index.ranked(query) == {}


@given(
    st.text() | st.lists(st.sampled_from(['"', "AND", "NOT", "NEAR(", "*", "^", "word1", ":", "-", "\0"])).map(" ".join)
)
def test_any_text_can_be_asked_for(shelf, query) -> None:
    assert all(score > 0 for score in shelf.ranked(query).values())


@given(st.lists(st.integers(0, 310).map("word{}".format), min_size=1, max_size=20), st.sampled_from([1, 10, 2000]))
def test_the_order_is_that_of_bm25(shelf, asked, limit) -> None:
    query = " ".join(asked)
    ranked, plain = shelf.ranked(query, limit), shelf.plain(query, limit)
    # Kept scores have the precision of 32 bits.
    assert list(ranked.values()) == pytest.approx(list(plain.values()), rel=1e-5)
    every = shelf.plain(query, 2000)
    assert [every[row] for row in ranked] == pytest.approx(list(plain.values()), rel=1e-5)


@pytest.mark.parametrize("few", [0, 4000], ids=["tried", "listed"])
@pytest.mark.parametrize("limit", [1, 3, 2000])
@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("collection = ?", ["staff"]),
        ("collection = ?", ["default"]),
        ("collection = ? AND modified > ?", ["staff", 990]),
        ("source = ?", ["elsewhere"]),
        ("documents.source = ? AND documents.kind IN (?, ?)", ["docs", "md", "pdf"]),
    ],
)
def test_a_filter_keeps_others_out_and_does_not_use_up_the_limit(shelf, monkeypatch, few, limit, where, values) -> None:
    monkeypatch.setattr(words, "FEW", few)
    monkeypatch.setattr(words, "TRIED", 1)
    for query in ("word0", "word1 word120", "word40 word3 word250"):
        ranked, plain = shelf.ranked(query, limit, where, values), shelf.plain(query, limit, where, values)
        assert list(ranked) == list(plain)
        assert list(ranked.values()) == pytest.approx(list(plain.values()), rel=1e-5)


def test_what_changed_is_found_as_it_is_now(index) -> None:
    index.add("A red tent.", "A blue tent.")
    before = index.ranked("red tent")
    index.add("A red red tent.", "A boat.")
    added = index.ranked("red tent")
    assert (list(before), list(added)) == ([1, 2], [3, 1, 2])
    index.remove(3)
    assert list(index.ranked("red tent")) == [1, 2]
    [again] = index.add("A red boat.")
    assert again in index.ranked("red tent")
    assert index.ranked("red tent") == pytest.approx(index.plain("red tent"))


def test_a_text_put_in_the_place_of_one_as_long_is_noticed(index) -> None:
    index.add("A red tent.", "Else.")
    assert index.ranked("red")
    with index.database.writing() as db:
        db.execute("DELETE FROM documents WHERE id = 1")
        index._add(db, "A big tent.", "default", "", "")
    assert (list(index.ranked("red")), list(index.ranked("big"))) == ([], [3])


def test_a_reader_of_an_older_state_finds_what_there_was_then(index) -> None:
    index.add("A red tent.")
    with index.database.reading() as old:
        assert list(index.scores.ranked(old, "red", 9)) == [1]
        index.add("A red boat.")
        assert list(index.ranked("red boat")) == [2, 1]
        assert list(index.scores.ranked(old, "red boat", 9)) == [1]


def test_a_chunk_without_words_counts_too(index) -> None:
    index.add("A red tent.", "Else.")
    assert index.ranked("red")
    index.add("…")
    assert index.ranked("red") == pytest.approx(index.plain("red"))


def test_no_more_scores_are_kept_than_allowed_and_those_asked_for_again_stay(shelf, monkeypatch) -> None:
    monkeypatch.setattr(words, "MOST_KEPT", 1500)
    shelf.scores = WordScores()
    shelf.ranked("word50")
    [scores] = shelf.scores._kept.values()
    for number in range(40):
        assert shelf.ranked(f"word{number}") == pytest.approx(shelf.plain(f"word{number}"), rel=1e-5)
        shelf.ranked("word50")
    assert sum(map(len, shelf.scores._kept.values())) == shelf.scores._size <= 1500
    kept = {word: scores for (_, word), scores in shelf.scores._kept.items()}
    assert kept["word50"] is scores
    assert "word39" in kept
    assert "word0" not in kept


def test_threads_may_ask_at_once(shelf) -> None:
    shelf.scores = WordScores()
    queries = [f"word{number} word{number % 7}" for number in range(30)]
    found: list[list[dict[int, float]]] = []

    def ask() -> None:
        found.append([shelf.ranked(query) for query in queries])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found == [found[0]] * 4
    assert shelf.scores._size == sum(map(len, shelf.scores._kept.values()))


def test_after_warming_up_common_words_need_no_look_at_the_index(shelf) -> None:
    scores = WordScores()
    with shelf.database.reading() as db:
        scores.warm(db)
        asked = []
        db.set_trace_callback(asked.append)
        found = scores.ranked(db, "word0 word1 word2", 10)
    assert found == shelf.ranked("word0 word1 word2", 10)
    assert not [statement for statement in asked if "MATCH" in statement]
