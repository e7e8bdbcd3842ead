"""The set of evaluation cases: well formed, and every fact follows from the documents it names or from the shop's data."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import ToolException
from simpleeval import DEFAULT_FUNCTIONS, EvalWithCompoundTypes

from examples.shop import ledger, lookups, orders
from examples.shop.tools import shop_tools
from service.evaluation.cases import Case, read_cases
from service.evaluation.facts import AsksBack, stands_in
from service.evaluation.surroundings import OPERATIONS, WITH_DOUBTFUL
from tests.examples.test_shop import plain, text_of

SHOP = Path(orders.__file__).parent
CASES = read_cases(SHOP / "eval.jsonl")
OWN = {path.name: text_of(path) for path in sorted((SHOP / "docs").iterdir())}
DOUBTFUL = {path.name: text_of(path) for path in sorted((SHOP / "eval_docs").iterdir())}
READS = {"search", "calculator", "clock", "get_order", "find_orders", "get_product", "find_products"}
# Kinds that an evaluation of an assistant must have, with the fewest cases of each.
KINDS = {
    "one-passage": 20,
    "two-passages": 10,
    "data": 10,
    "multi-hop": 15,
    "unanswerable": 15,
    "ambiguous": 10,
    "contradictory": 10,
    "injection": 10,
    "consent": 15,
    "multi-turn": 10,
}


def ids(case: Case) -> str:
    return case.id


def documents(case: Case) -> dict[str, str]:
    return {**OWN, **DOUBTFUL} if case.collection == WITH_DOUBTFUL else OWN


def named(case: Case) -> list[str]:
    return [name for each in case.sources for name in ([each] if isinstance(each, str) else each)]


@pytest.fixture(scope="module")
def shop_data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The data that expressions are about, by the names they use."""
    database = tmp_path_factory.mktemp("shop") / "orders.sqlite"
    ledger.prepare(database)
    tools = {tool.name: tool for tool in shop_tools(database)}

    def problem(tool: str, **args: Any) -> str:
        with pytest.raises(ToolException) as refused:
            tools[tool].invoke(args)
        return str(refused.value)

    def read(look_up: Any, number: int) -> Any:
        with ledger.reading(database) as connection:
            return look_up(connection, number).model_dump(mode="json")

    return {
        "order": lambda number: tools["get_order"].invoke({"order_id": number}),
        "orders": lambda email: tools["find_orders"].invoke({"email": email}),
        "product": lambda sku: tools["get_product"].invoke({"sku": sku}),
        "products": lambda text: tools["find_products"].invoke({"text": text}),
        "customer": lambda number: read(lookups.customer, number),
        "backend_order": lambda number: read(lookups.order, number),
        "problem": problem,
        "sum": sum,
    }


def derived(case: Case, data: dict[str, Any]) -> list[str]:
    """Return what the case's expressions come to, as an answer would say it."""
    evaluator = EvalWithCompoundTypes(functions=DEFAULT_FUNCTIONS | data, names={})
    values = [evaluator.eval(expression) for expression in case.derivation]
    return [f"{value:.2f}" if isinstance(value, float) else str(value) for value in values]


def test_there_are_cases_of_every_kind() -> None:
    count = Counter(tag for case in CASES for tag in case.tags)
    assert len(CASES) >= 120
    assert {tag: least for tag, least in KINDS.items() if count[tag] < least} == {}


def test_no_question_is_asked_twice() -> None:
    twice = Counter((case.collection, *case.said) for case in CASES)
    assert [said for said, times in twice.items() if times > 1] == []


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_case_says_what_is_right(case: Case) -> None:
    assert case.tags
    assert case.facts or case.refuses
    assert not (case.facts and case.refuses)
    assert set(case.tools) | set(case.trajectory) | set(case.forbidden_tools) <= READS | set(OPERATIONS)
    assert {consent.tool for consent in case.approvals} <= set(OPERATIONS)
    assert set(named(case)) <= documents(case).keys()


@pytest.mark.parametrize("case", [case for case in CASES if case.support], ids=ids)
def test_supporting_words_stand_in_the_named_documents(case: Case) -> None:
    texts = {name: plain(text) for name, text in documents(case).items()}
    allowed = named(case) or list(texts)
    for words in case.support:
        assert any(plain(words) in texts[name] for name in allowed), words
    for each in case.sources:
        group = [each] if isinstance(each, str) else each
        assert any(plain(words) in texts[name] for words in case.support for name in group), f"{group} carries nothing"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_every_fact_follows_from_documents_or_data(case: Case, shop_data: dict[str, Any]) -> None:
    said = [consent.message + " ".join(map(str, consent.edited.values())) for consent in case.approvals]
    evidence = " ; ".join([*case.support, *derived(case, shop_data), *said])
    for group in case.facts:
        facts = group if isinstance(group, list) else [group]
        if facts == [AsksBack(asks_back=True)]:
            continue
        assert any(stands_in(fact, evidence) for fact in facts if not isinstance(fact, AsksBack)), (facts, evidence)


@pytest.mark.parametrize("case", [case for case in CASES if case.support and case.derivation], ids=ids)
def test_figures_of_a_derivation_stand_in_its_words_or_in_the_question(case: Case) -> None:
    stated = plain(" ".join([*case.support, *case.said])).replace(",", "")
    for expression in case.derivation:
        bare = re.sub(r"'[^']*'|\[\d+\]|\w+\(\d+\)", "", expression)
        for figure in re.findall(r"\d+(?:\.\d+)?", bare):
            spoken = {"2": "two", "3": "three"}.get(figure, figure)
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]*\d)|\b{spoken}\b", stated, re.IGNORECASE), figure


@pytest.mark.parametrize("case", [case for case in CASES if case.refuses], ids=ids)
def test_what_cannot_be_answered_is_in_no_document(case: Case) -> None:
    assert case.nowhere
    found = [name for name, text in documents(case).items() if re.search(case.nowhere, text, re.IGNORECASE)]
    assert found == []


@pytest.mark.parametrize("case", [case for case in CASES if "contradictory" in case.tags], ids=ids)
def test_contradicting_documents_are_about_the_same(case: Case) -> None:
    assert case.collection == WITH_DOUBTFUL
    if not case.absent:
        assert any(name in OWN for name in named(case))
        assert any(name in DOUBTFUL for name in named(case))


@pytest.mark.parametrize("case", [case for case in CASES if "injection" in case.tags], ids=ids)
def test_a_case_with_hostile_text_forbids_what_that_text_asks_for(case: Case) -> None:
    assert case.collection == WITH_DOUBTFUL
    assert case.absent
    assert case.forbidden_tools
    for words in case.support:
        assert not any(stands_in(fact, words) for fact in case.absent), words


def test_the_docs_count_the_cases() -> None:
    count = Counter(tag for case in CASES for tag in case.tags)
    docs = (SHOP.parents[1] / "docs" / "evaluation.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", docs, re.MULTILINE)) == {
        tag: str(times) for tag, times in count.items()
    }
