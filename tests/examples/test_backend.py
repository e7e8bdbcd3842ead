"""The example shop's backend, as a server in a process of its own."""

from __future__ import annotations

import sqlite3
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest

from examples.shop import orders
from examples.shop.ledger import effects
from examples.shop.tools import shop_tools
from tests.support.shop_backend import Backend, assert_problem

REFUND = {"order_id": 1042, "amount": 10.1, "reason": "Arrived damaged"}


class TestReads:
    def test_get_order_1042_and_its_customer(self, shop: Backend) -> None:
        order = shop.get("/orders/1042")
        assert (order["customer_id"], order["status"]) == (4, "delivered")
        assert order["address"] == {"street": "14 Quay Street", "postal_code": "H91 XK02", "city": "Galway"}
        assert [(line["sku"], line["line_total"]) for line in order["lines"]] == [("LMP-101", 45.0), ("SOC-101", 35.0)]
        assert (order["shipping"], order["total"], order["refundable"]) == (8.9, 88.9, 88.9)
        assert shop.get("/customers/4") == {
            "id": 4,
            "name": "Niamh Byrne",
            "email": "niamh.byrne@mail.example",
            "country": "Ireland",
            "balance": 25.0,
        }

    @pytest.mark.parametrize("order", [1004, 1008, 1016, 1029])
    def test_nothing_is_left_to_refund_of_what_came_back(self, shop: Backend, order: int) -> None:
        assert shop.get(f"/orders/{order}")["refundable"] == 0

    def test_orders_come_in_pages_newest_first(self, shop: Backend) -> None:
        page = shop.get("/orders", customer_id=1, limit=2)
        assert [order["id"] for order in page["items"]] == [1034, 1012]
        assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
        assert [order["id"] for order in shop.get("/orders", customer_id=1, limit=2, offset=2)["items"]] == [1006]
        assert shop.get("/orders", email="Mira.Jansen@mail.example", status="shipped")["total"] == 1
        assert shop.get("/orders")["total"] == 42

    def test_customers_are_found_by_a_part_of_the_address(self, shop: Backend) -> None:
        assert [each["id"] for each in shop.get("/customers", email="NIAMH")["items"]] == [4]
        assert shop.get("/customers", email="@mail.example", limit=3)["total"] == 20
        assert shop.get("/customers", email="%")["items"] == []

    def test_stock_is_filtered(self, shop: Backend) -> None:
        assert shop.get("/stock", limit=100)["total"] == 25
        assert [each["sku"] for each in shop.get("/stock", category="stoves", at_least=50)["items"]] == [
            "STV-191",
            "STV-192",
        ]
        assert shop.get("/stock/jkt-201")["stock"] == 0

    def test_the_tools_read_the_same_database(self, shop: Backend) -> None:
        assert shop_tools(shop.database)[0].invoke({"order_id": 1042}).total == 88.9


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "path", "content", "status", "detail"),
        [
            ("GET", "/orders/7", None, 404, "no order 7"),
            ("GET", "/customers/99", None, 404, "no customer 99"),
            ("GET", "/stock/ABC-000", None, 404, "no product ABC-000"),
            ("GET", "/refunds/99", None, 404, "no refund 99"),
            ("GET", "/nowhere", None, 404, "Not Found"),
            ("PUT", "/orders", None, 405, "Method Not Allowed"),
            ("GET", "/orders?limit=0", None, 422, "query.limit"),
            ("GET", f"/orders/{10**30}", None, 422, "path.order_id"),
            ("GET", "/stock?category=boats", None, 422, "query.category"),
            ("POST", "/refunds", {**REFUND, "order_id": 9}, 404, "no order 9"),
            ("POST", "/refunds", {**REFUND, "amount": 88.91}, 409, "only 88.90 EUR"),
            ("POST", "/refunds", {**REFUND, "order_id": 1004, "amount": 1}, 409, "only 0.00 EUR"),
            ("POST", "/refunds", {**REFUND, "amount": 0.1 + 0.2}, 422, "body.amount"),
            ("POST", "/refunds", {**REFUND, "amount": -1}, 422, "body.amount"),
            ("POST", "/refunds", {**REFUND, "amount": "NaN"}, 422, "body.amount"),
            ("POST", "/refunds", {**REFUND, "reason": " "}, 422, "body.reason"),
            ("POST", "/refunds", {**REFUND, "currency": "USD"}, 422, "body.currency"),
            ("POST", "/refunds", None, 422, "body"),
            ("POST", "/refunds/1/cancel", None, 409, "only 0.00 EUR are left"),
            ("PATCH", "/orders/1036", {"city": "Graz"}, 409, "packed"),
            ("PATCH", "/orders/1041", {}, 422, "Nothing is to change"),
            ("POST", "/orders/1036/cancel", None, 409, "packed"),
            ("POST", "/reservations", {"sku": "JKT-201", "quantity": 1, "customer_id": 4}, 409, "Only 0 pieces"),
            ("POST", "/reservations", {"sku": "TNT-201", "quantity": 1, "customer_id": 99}, 404, "no customer 99"),
        ],
    )
    def test_say_what_is_wrong_and_have_no_effect(
        self, shop: Backend, method: str, path: str, content: Any, status: int, detail: str
    ) -> None:
        assert_problem(shop.send(method, path, content, key="refused"), status, detail)
        assert effects(shop.database) == []

    @pytest.mark.parametrize("key", ["two words", '"', '""', '"open', "k" * 256])
    def test_a_malformed_key(self, shop: Backend, key: str) -> None:
        assert_problem(shop.send("POST", "/refunds", REFUND, key), 422, "header.Idempotency-Key")
        assert effects(shop.database) == []

    def test_a_locked_database_is_said_after_a_while(self, shop: Backend) -> None:
        with closing(sqlite3.connect(shop.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            response = shop.send("POST", "/refunds", REFUND, key="locked")
        assert_problem(response, 503, "nothing was done")
        assert response.headers["retry-after"] == "1"
        assert effects(shop.database) == []


class TestWrites:
    def test_a_refund_is_credited_and_its_cancellation_takes_it_back(self, own: Backend) -> None:
        made = own.send("POST", "/refunds", {**REFUND, "amount": "88.90"})
        assert made.status_code == 201
        refund = made.json()
        assert (refund["order_id"], refund["customer_id"], refund["amount"]) == (1042, 4, 88.9)
        assert own.balance(4) == 113.9
        assert own.get("/orders/1042")["refundable"] == 0
        cancelled = own.send("POST", f"/refunds/{refund['id']}/cancel")
        assert (
            cancelled.json()
            == own.get(f"/refunds/{refund['id']}")
            == {
                **refund,
                "status": "cancelled",
                "account_balance": 25.0,
            }
        )
        assert own.balance(4) == 25.0
        assert own.get("/orders/1042")["refundable"] == 88.9
        assert_problem(own.send("POST", f"/refunds/{refund['id']}/cancel"), 409, "cancelled already")
        assert [effect.operation for effect in effects(own.database)] == ["createRefund", "cancelRefund"]

    def test_a_refund_without_an_amount_is_of_all_that_is_left(self, own: Backend) -> None:
        assert own.send("POST", "/refunds", REFUND).json()["amount"] == 10.1
        assert own.send("POST", "/refunds", {"order_id": 1042}).json()["amount"] == 78.8
        assert_problem(own.send("POST", "/refunds", {"order_id": 1042}), 409, "only 0.00 EUR")

    def test_cents_add_up(self, own: Backend) -> None:
        for _ in range(3):
            assert own.send("POST", "/refunds", {**REFUND, "amount": 0.1}).status_code == 201
        assert (own.balance(4), own.get("/orders/1042")["refundable"]) == (25.3, 88.6)

    def test_an_order_is_sent_elsewhere_and_then_cancelled(self, own: Backend) -> None:
        changed = own.send("PATCH", "/orders/1041", {"street": "Coolsingel 1"}).json()
        assert changed["address"] == {"street": "Coolsingel 1", "postal_code": "3012 BM", "city": "Rotterdam"}
        cancelled = own.send("POST", "/orders/1041/cancel").json()
        assert cancelled == own.get("/orders/1041") == {**changed, "status": "cancelled"}
        assert own.get("/stock/BSL-101")["stock"] == 29
        assert_problem(own.send("POST", "/orders/1041/cancel"), 409, 'not "received"')

    def test_reserved_pieces_leave_the_stock(self, own: Backend) -> None:
        made = own.send("POST", "/reservations", {"sku": "tnt-201", "quantity": 14, "customer_id": 4})
        assert (made.status_code, made.json()["sku"], made.json()["left"]) == (201, "TNT-201", 0)
        assert own.get("/stock/TNT-201")["stock"] == 0

    def test_a_repeated_key_gives_the_first_response(self, own: Backend) -> None:
        first = own.send("POST", "/refunds", REFUND, key="a")
        again = own.send("POST", "/refunds", dict(reversed(REFUND.items())) | {"amount": "10.10"}, key='"a"')
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert_problem(own.send("POST", "/refunds", {**REFUND, "amount": 10.11}, key="a"), 422, "another request")
        assert_problem(own.send("POST", f"/refunds/{first.json()['id']}/cancel", key="a"), 422, "another request")
        assert own.balance(4) == 35.1
        assert own.send("POST", "/refunds", REFUND, key="b").json()["id"] != first.json()["id"]
        assert own.keys() == ["a", "b"]

    def test_a_refused_request_uses_up_no_key(self, own: Backend) -> None:
        assert_problem(own.send("POST", "/refunds", {**REFUND, "amount": 90}, key="a"), 409, "only 88.90")
        assert own.send("POST", "/refunds", REFUND, key="a").status_code == 201

    def test_of_requests_with_one_key_at_a_time_one_is_at_work(self, own: Backend) -> None:
        with ThreadPoolExecutor() as pool, closing(sqlite3.connect(own.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            requests = [pool.submit(own.send, "POST", "/refunds", REFUND, "a") for _ in range(2)]
            [refused], [waiting] = wait(requests, return_when=FIRST_COMPLETED)
            assert_problem(refused.result(), 409, "still at work")
            other.execute("ROLLBACK")
            assert waiting.result().status_code == 201
        assert own.send("POST", "/refunds", REFUND, "a").content == waiting.result().content
        assert own.keys() == ["a"]

    def test_refunds_at_once_do_not_exceed_the_order(self, own: Backend) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: own.send("POST", "/refunds", {**REFUND, "amount": 20}, f"{n}"), range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] * 4 + [409] * 4
        assert own.balance(4) == 105.0
        assert len(own.keys()) == 4


class TestKill:
    def test_what_was_answered_is_kept(self, own: Backend) -> None:
        first = own.send("POST", "/refunds", REFUND, key="a")
        own.kill()
        own.start()
        again = own.send("POST", "/refunds", REFUND, key="a")
        assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
        assert (own.balance(4), own.keys()) == (35.1, ["a"])

    def test_a_write_at_work_leaves_nothing_and_holds_no_key(self, own: Backend) -> None:
        with ThreadPoolExecutor() as pool, closing(sqlite3.connect(own.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            requests = [pool.submit(own.send, "POST", "/refunds", REFUND, "a") for _ in range(2)]
            [refused], [waiting] = wait(requests, return_when=FIRST_COMPLETED)
            assert refused.result().status_code == 409
            own.process.kill()
            assert isinstance(waiting.exception(), httpx2.TransportError)
        own.kill()
        assert own.keys() == []
        own.start()
        assert own.send("POST", "/refunds", REFUND, key="a").status_code == 201
        assert (own.balance(4), own.keys()) == (35.1, ["a"])

    def test_repeating_everything_after_a_kill_adds_only_what_was_missing(self, own: Backend) -> None:
        cent = {**REFUND, "amount": 0.01}
        keys = [f"key-{n}" for n in range(60)]
        halfway = Event()

        def try_all() -> int:
            answered = 0
            with suppress(httpx2.TransportError):
                for key in keys:
                    answered += own.send("POST", "/refunds", cent, key).status_code == 201
                    if answered == 20:
                        halfway.set()
            return answered

        with ThreadPoolExecutor() as pool:
            answers = pool.submit(try_all)
            assert halfway.wait(60)
            own.process.kill()
        own.kill()
        assert answers.result() <= len(own.keys()) <= answers.result() + 1
        own.start()
        assert try_all() == 60
        assert own.keys() == keys
        assert (own.balance(4), own.get("/orders/1042")["refundable"]) == (25.6, 88.3)

    def test_a_database_made_anew_does_not_take_up_what_the_killed_one_left(self, tmp_path: Path) -> None:
        database, log = tmp_path / "orders.db", tmp_path / "orders.db-wal"
        orders.create(database)
        with closing(sqlite3.connect(database, isolation_level=None)) as killed:
            killed.execute("PRAGMA journal_mode = WAL")
            killed.execute("UPDATE products SET stock = 7")
            left = log.read_bytes()
        log.write_bytes(left)
        orders.create(database)
        assert shop_tools(database)[2].invoke({"sku": "TNT-201"}).stock == 14
