"""Two writes to a real API over HTTP, which counts its effects: each takes place once, wherever the run is killed."""

from __future__ import annotations

import json

import pytest

from examples.shop.ledger import effects
from tests.graphs.killed_writes import BOUNDARIES
from tests.graphs.test_once import forks, run  # noqa: F401 - fixtures
from tests.graphs.test_postgres_intents import database, server  # noqa: F401 - fixtures
from tests.support.model_server import Reply
from tests.support.shop_backend import Backend

PLAN = Reply(
    calls=[
        ("createRefund", {"order_id": 1042, "amount": 5, "reason": "Arrived late"}),
        ("reserveStock", {"sku": "TNT-201", "quantity": 1, "customer_id": "${1.customer_id}"}),
    ]
)
PATHS = {"createRefund": "/refunds", "reserveStock": "/reservations"}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """One process serves all tests; each finds the shop as it began, so that no stock or order is used up by others."""
    shop = Backend(tmp_path_factory.mktemp("shop") / "shop.sqlite")
    yield shop
    shop.kill()


@pytest.fixture
def shop(shops, tmp_path):
    def document(declares_keys):
        described = shops.client.get("/openapi.json").json()
        for path in () if declares_keys else PATHS.values():
            described["paths"][path]["post"].pop("parameters")
        (tmp_path / "openapi.json").write_text(json.dumps(described))
        return [{"name": "shop", "spec": str(tmp_path / "openapi.json"), "base_url": str(shops.client.base_url)}]

    shops.begin_anew()
    shops.document = document
    shops.done = lambda: [effect.operation for effect in effects(shops.database)]
    return shops


@pytest.fixture(params=["sqlite", "postgres"])
def kept_in(request):
    """The address of the database that threads and intents are kept in; None for SQLite files."""
    return None if request.param == "sqlite" else request.getfixturevalue("database")


@pytest.mark.parametrize("write", PATHS)
@pytest.mark.parametrize("at", BOUNDARIES)
def test_where_keys_are_honoured_each_effect_is_there_once(run, model_server, shop, kept_in, at, write):  # noqa: F811
    model_server.will(PLAN, "Both done.")
    given = {"database": kept_in, "apis": shop.document(declares_keys=True)}
    assert run("start", die={"write": PATHS[write], "at": at}, **given) == {"killed": True}
    ended = run("go on", **given)
    assert (ended["statuses"], ended["text"]) == (["finished", "finished"], "Both done.")
    assert shop.done() == ["createRefund", "reserveStock"]


@pytest.mark.parametrize("at", BOUNDARIES[1:4])
def test_where_they_are_not_the_person_is_asked(run, model_server, shop, kept_in, at):  # noqa: F811
    model_server.will(PLAN, "That is that.")
    given = {"database": kept_in, "apis": shop.document(declares_keys=False)}
    assert run("start", die={"write": "/refunds", "at": at}, **given) == {"killed": True}
    before = shop.done()
    [asked] = run("go on", **given)["asks"]
    assert "whether it took effect is not known. Send it again?" in asked["description"]
    assert "POST http://" in asked["description"]
    assert shop.done() == before == ([] if at == "after intent" else ["createRefund"])
    ended = run("approve" if at == "after intent" else "reject", **given)
    assert ended["statuses"] == (["finished"] * 2 if at == "after intent" else ["failed", "skipped"])
    assert shop.done() == (["createRefund", "reserveStock"] if at == "after intent" else ["createRefund"])
