"""The example shop: its database, its tools, and that its documents, data and questions agree."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool, ToolException

from agent.knowledge.formats import kind_of, split
from examples.shop import orders
from examples.shop.tools import Order, Product, shop_tools

SHOP = Path(orders.__file__).parent
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (SHOP / "questions.jsonl").read_text("utf-8").splitlines()
]
KINDS = ["one-passage", "two-passages", "data-policy-arithmetic", "unanswerable"]
RETURN_PERIOD = timedelta(days=30)


def text_of(path: Path) -> str:
    """What the knowledge base reads of a document."""
    text = ""
    for chunk in split(path.read_bytes(), path.name, kind_of(path.name) or ""):
        text = text[: chunk.start].ljust(chunk.start, "\n") + chunk.text
    return text


DOCUMENTS = {path.name: text_of(path) for path in sorted((SHOP / "docs").iterdir())}
TITLES = {
    **dict.fromkeys([".md", ".html", ".pdf"], (r"^# .+$", r"^## .+$")),
    ".docx": (r"\A# .+$", r"^# .+$"),
    ".txt": (r"^.+\n=+$", r"^.+\n-+$"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "orders.db"
    orders.create(path)
    return path


@pytest.fixture(scope="module")
def tools(database: Path) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in shop_tools(database)}


@pytest.fixture(scope="module")
def every_order(tools: dict[str, BaseTool]) -> list[Order]:
    return [tools["get_order"].invoke({"order_id": number}) for number in range(1001, 1041)]


def plain(text: str) -> str:
    return " ".join(text.split())


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


class TestDatabase:
    def test_holds_what_the_readme_says(self, database: Path) -> None:
        assert [count(database, table) for table in ("customers", "products", "orders")] == [20, 25, 40]

    def test_is_the_same_each_time_and_replaces_what_was_there(self, database: Path, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "orders.db"
        orders.create(path)
        path.write_text("not a database")
        orders.create(path)
        assert dump(path) == dump(database)
        assert list(path.parent.iterdir()) == [path]

    def test_a_failed_write_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "orders.db"
        orders.create(path)
        before = path.read_bytes()
        no_quantity = (1041, 1, "received", "2025-09-22", None, {"TNT-201": 0})
        monkeypatch.setattr(orders, "ORDERS", (*orders.ORDERS, no_quantity))
        with pytest.raises(sqlite3.IntegrityError):
            orders.create(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_refers_only_to_rows_that_exist(self, database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class TestTools:
    def test_say_that_they_only_read(self, tools: dict[str, BaseTool]) -> None:
        assert list(tools) == ["get_order", "find_orders", "get_product", "find_products"]
        for tool in tools.values():
            assert tool.metadata == {"effect": "read"}
            assert tool.description
            assert all(argument["description"] for argument in tool.args.values())

    def test_need_a_database(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="create"):
            shop_tools(tmp_path / "missing.db")
        assert list(tmp_path.iterdir()) == []

    def test_open_any_path_for_reading_and_close_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "50% of #1?.db"
        orders.create(path)
        connect = sqlite3.connect
        opened = []

        def spy(location: str, *, uri: bool) -> sqlite3.Connection:
            with closing(connect(location, uri=uri)) as same, pytest.raises(sqlite3.OperationalError, match="readonly"):
                same.execute("DELETE FROM orders")
            opened.append(connect(location, uri=uri))
            return opened[-1]

        monkeypatch.setattr(sqlite3, "connect", spy)
        assert shop_tools(path)[0].invoke({"order_id": 1012}).id == 1012
        with pytest.raises(ToolException):
            shop_tools(path)[0].invoke({"order_id": 1})
        assert len(opened) == 2
        for connection in opened:
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                connection.execute("SELECT 1")

    def test_see_a_replaced_database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "orders.db"
        orders.create(path)
        get_product = shop_tools(path)[2]
        monkeypatch.setattr(orders, "PRODUCTS", (("TNT-201", "Heron 2 two-person tent", 100, 1), *orders.PRODUCTS[1:]))
        orders.create(path)
        assert get_product.invoke({"sku": "TNT-201"}).price == 1.0

    def test_get_order(self, tools: dict[str, BaseTool]) -> None:
        order = tools["get_order"].invoke({"order_id": 1012})
        assert isinstance(order, Order)
        assert order.model_dump(mode="json") == {
            "id": 1012,
            "status": "delivered",
            "placed": "2025-08-20",
            "delivered": "2025-08-25",
            "customer": {"name": "Mira Jansen", "email": "mira.jansen@mail.example", "country": "Netherlands"},
            "lines": [
                {
                    "sku": "TNT-201",
                    "name": "Heron 2 two-person tent",
                    "quantity": 1,
                    "unit_price": 289.0,
                    "line_total": 289.0,
                }
            ],
            "shipping": 0.0,
            "total": 289.0,
        }

    def test_get_order_with_many_lines_adds_up(self, tools: dict[str, BaseTool]) -> None:
        order = tools["get_order"].invoke({"order_id": "1030"})
        assert [(line.sku, line.quantity, line.line_total) for line in order.lines] == [
            ("STV-191", 4, 27.6),
            ("STV-192", 1, 4.5),
        ]
        assert (order.shipping, order.total) == (5.5, 37.6)

    def test_get_order_not_delivered(self, tools: dict[str, BaseTool]) -> None:
        order = tools["get_order"].invoke({"order_id": 1040})
        assert (order.status, order.delivered) == ("received", None)

    @pytest.mark.parametrize("order_id", [9999, 0, -1])
    def test_get_order_miss(self, tools: dict[str, BaseTool], order_id: int) -> None:
        with pytest.raises(ToolException, match=f"no order {order_id}; order numbers run from 1001 to 1040"):
            tools["get_order"].invoke({"order_id": order_id})

    @pytest.mark.parametrize("email", ["mira.jansen@mail.example", " Mira.Jansen@mail.example "])
    def test_find_orders(self, tools: dict[str, BaseTool], email: str) -> None:
        assert [order.id for order in tools["find_orders"].invoke({"email": email})] == [1034, 1012, 1006]

    @pytest.mark.parametrize("email", ["nobody@mail.example", "", "' OR 1=1 --", "%"])
    def test_find_orders_miss(self, tools: dict[str, BaseTool], email: str) -> None:
        with pytest.raises(ToolException, match="ask for the e-mail address"):
            tools["find_orders"].invoke({"email": email})

    @pytest.mark.parametrize("sku", ["SOC-101", " soc-101 "])
    def test_get_product(self, tools: dict[str, BaseTool], sku: str) -> None:
        found = tools["get_product"].invoke({"sku": sku})
        assert found == Product(sku="SOC-101", name="Otter merino socks", price=17.5, stock=96)

    def test_get_product_miss(self, tools: dict[str, BaseTool]) -> None:
        with pytest.raises(ToolException, match=r"no product 'TNT-999'.*find_products"):
            tools["get_product"].invoke({"sku": "tnt-999"})

    @pytest.mark.parametrize(
        ("text", "skus"),
        [
            ("tent", ["TNT-201", "TNT-301", "TNT-901"]),
            ("Tents", ["TNT-201", "TNT-301", "TNT-901"]),
            ("jacket RAIN", ["JKT-101"]),
            ("Dormouse Winter sleeping bag", ["BAG-102"]),
            ("glow-worm", ["LMP-101"]),
        ],
    )
    def test_find_products(self, tools: dict[str, BaseTool], text: str, skus: list[str]) -> None:
        assert [product.sku for product in tools["find_products"].invoke({"text": text})] == skus

    @pytest.mark.parametrize("text", ["kayak", "tent jacket", "", "%", "_"])
    def test_find_products_miss(self, tools: dict[str, BaseTool], text: str) -> None:
        with pytest.raises(ToolException, match="try one plain word"):
            tools["find_products"].invoke({"text": text})


class TestDocuments:
    def test_are_twenty_in_seven_formats(self) -> None:
        once = dict.fromkeys([".pdf", ".docx", ".html", ".csv", ".jsonl"], 1)
        assert Counter(Path(name).suffix for name in DOCUMENTS) == {".md": 12, ".txt": 3, **once}

    @pytest.mark.parametrize("name", [name for name in DOCUMENTS if Path(name).suffix in TITLES])
    def test_have_one_title_and_sections(self, name: str) -> None:
        text = DOCUMENTS[name]
        title, section = TITLES[Path(name).suffix]
        assert re.match(title, text, re.MULTILINE)
        assert len(re.findall(title, text, re.MULTILINE)) == 1
        assert len(re.findall(section, text, re.MULTILINE)) >= 3

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_link_to_documents_that_exist(self, name: str) -> None:
        assert set(re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name])) <= DOCUMENTS.keys() - {name}

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_name_products_as_the_database_does(self, tools: dict[str, BaseTool], name: str) -> None:
        text = plain(DOCUMENTS[name])
        for mention in re.finditer(r"\b[A-Z]{3}-\d{3}\b", text):
            product = tools["get_product"].invoke({"sku": mention[0]})
            assert text[: mention.start()].endswith(f"{product.name} ("), f"{mention[0]} is {product.name}"

    def test_delivery_prices_are_those_of_the_orders(self, every_order: list[Order]) -> None:
        rows = re.findall(
            r"^\| \d \| (.+?) \| ([\d.]+) EUR \| (?:(\d+) EUR|never) \|$",
            DOCUMENTS["shipping-and-delivery.md"],
            re.MULTILINE,
        )
        zones = {
            country: (float(charge), float(limit or "inf"))
            for countries, charge, limit in rows
            for country in countries.split(", ")
        }
        for order in every_order:
            charge, free_from = zones[order.customer.country]
            goods = sum(line.line_total for line in order.lines)
            assert order.shipping == (0 if goods >= free_from else charge), order.id

    def test_no_order_breaks_the_rules_for_gas(self, every_order: list[Order]) -> None:
        for order in every_order:
            cartridges = sum(line.quantity for line in order.lines if line.sku == "STV-191")
            assert cartridges <= (0 if order.customer.country in {"Norway", "Switzerland"} else 12), order.id

    def test_statuses_are_explained_and_fit_the_dates(self, every_order: list[Order]) -> None:
        explained = re.findall(r"^\| ([a-z]+) \|", DOCUMENTS["order-changes-and-cancellation.md"], re.MULTILINE)
        assert {order.status for order in every_order} == set(explained)
        newest = max(order.placed for order in every_order)
        for order in every_order:
            if order.delivered and order.status != "returned":
                assert (order.status == "closed") == (order.delivered + RETURN_PERIOD < newest), order.id


class TestQuestions:
    def test_begin_with_the_demo(self) -> None:
        assert [question["kind"] for question in QUESTIONS[:4]] == KINDS
        assert Counter(question["kind"] for question in QUESTIONS[4:]) == dict.fromkeys(KINDS, 4)
        assert len({question["question"] for question in QUESTIONS}) == 20

    @pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
    def test_are_well_formed(self, question: dict[str, Any], tools: dict[str, BaseTool]) -> None:
        assert question.keys() == {"question", "needs", "support", "facts", "tools", "kind"}
        documents = {"one-passage": 1, "two-passages": 2, "data-policy-arithmetic": 1, "unanswerable": 0}
        assert len(question["needs"]) == documents[question["kind"]]
        assert set(question["tools"]) <= {"search", "calculator", *tools}
        assert question["facts"]
        for fact in question["facts"]:
            re.compile(fact)

    @pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
    def test_supporting_words_stand_in_one_document_only(self, question: dict[str, Any]) -> None:
        for name, words in zip(question["needs"], question["support"], strict=True):
            assert [each for each, text in DOCUMENTS.items() if plain(words) in plain(text)] == [name]

    @pytest.mark.parametrize(
        "question",
        [each for each in QUESTIONS if each["kind"] in {"one-passage", "two-passages"}],
        ids=lambda question: question["question"],
    )
    def test_supporting_words_state_the_facts(self, question: dict[str, Any]) -> None:
        words = plain(" ".join(question["support"]))
        for fact in question["facts"]:
            assert re.search(fact, words, re.IGNORECASE), fact

    @pytest.mark.parametrize(
        ("start", "answer"),
        [
            ("I want to send back the tent", lambda call: call("get_order", order_id=1012).lines[0].line_total - 4.90),
            ("I'm returning the rain jacket", lambda call: call("get_order", order_id=1022).lines[0].line_total - 4.90),
            ("How many Trail Club", lambda call: call("get_order", order_id=1018).lines[0].line_total * 2),
            (
                "I'm tomas.okafor",
                lambda call: call("find_orders", email="tomas.okafor@mail.example")[0].lines[0].line_total - 38.50,
            ),
            ("If I buy the Dormouse", lambda call: call("find_products", text="Dormouse Winter")[0].price / 3),
        ],
    )
    def test_sums_are_right(
        self, tools: dict[str, BaseTool], start: str, answer: Callable[[Callable[..., Any]], float]
    ) -> None:
        [question] = [each for each in QUESTIONS if each["question"].startswith(start)]
        amount = answer(lambda name, **arguments: tools[name].invoke(arguments))
        for shown in (f"You get {amount:.2f} EUR.", f"You get {round(amount, 2)}."):
            assert all(re.search(fact, shown) for fact in question["facts"]), shown

    def test_every_sum_is_checked(self) -> None:
        assert sum(question["kind"] == "data-policy-arithmetic" for question in QUESTIONS) == 5

    @pytest.mark.parametrize(
        ("start", "absent"),
        [
            ("Can I rent a kayak", r"\b(kayaks?|rent|rents|rental|hire)\b"),
            ("Can I bring my dog", r"\bdogs?\b"),
            ("Are you hiring", r"\b(hiring|jobs?|vacanc\w+|careers?|recruit\w*)\b"),
            ("Does the Heron 2 tent come in red", r"\b(red|green tent|colours? of the tent)\b"),
            ("Who founded", r"\bfound(ed|ers?)\b"),
        ],
    )
    def test_unanswerable_ones_are_in_no_document(self, start: str, absent: str) -> None:
        assert any(question["question"].startswith(start) for question in QUESTIONS)
        assert [name for name, text in DOCUMENTS.items() if re.search(absent, text, re.IGNORECASE)] == []

    @pytest.mark.parametrize(
        "answer",
        [
            "I don't know: nothing in the documents answers this.",
            "I do not know.",
            "I could not find that in the company's documents.",
            "The documents do not say who founded Larkmoor.",
            "I\u2019m sorry, I don\u2019t have any information about that.",
        ],
    )
    def test_saying_so_answers_an_unanswerable_one(self, answer: str) -> None:
        for question in QUESTIONS:
            if question["kind"] == "unanswerable":
                assert re.search(question["facts"][0], answer, re.IGNORECASE)

    @pytest.mark.parametrize("answer", ["Yes, you can.", "Yes, it comes in red.", "It was founded by Jan de Vries."])
    def test_making_something_up_does_not(self, answer: str) -> None:
        for question in QUESTIONS:
            if question["kind"] == "unanswerable":
                assert not re.search(question["facts"][0], answer, re.IGNORECASE)
