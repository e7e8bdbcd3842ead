"""The backend's OpenAPI document, and the token it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.shop_backend import Backend, assert_problem


class TestDocument:
    @pytest.fixture
    def document(self, shop: Backend) -> dict[str, Any]:
        return dict(shop.get("/openapi.json"))

    @pytest.fixture
    def operations(self, document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return [each for path in document["paths"].values() for each in path.items()]

    def test_is_valid(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1")
        OpenAPIV31SpecValidator(document).validate()

    def test_names_and_describes_every_operation(self, operations: list[tuple[str, dict[str, Any]]]) -> None:
        assert {operation["operationId"] for _, operation in operations} == {
            *("findCustomers", "getCustomer", "listOrders", "getOrder", "changeDeliveryAddress", "cancelOrder"),
            *("listStock", "getStock", "reserveStock", "createRefund", "getRefund", "cancelRefund"),
        }
        for _, operation in operations:
            assert operation["summary"]
            assert operation["description"]
            assert all(parameter["description"] for parameter in operation.get("parameters", []))

    def test_describes_every_field(self, document: dict[str, Any]) -> None:
        for name, schema in document["components"]["schemas"].items():
            assert schema["description"], name
            for field, part in schema["properties"].items():
                assert part["description"], f"{name}.{field}"
                assert "examples" in part or {"$ref", "items"} & part.keys(), f"{name}.{field}"

    def test_every_write_takes_a_key(self, operations: list[tuple[str, dict[str, Any]]]) -> None:
        for method, operation in operations:
            headers = [each["name"] for each in operation.get("parameters", []) if each["in"] == "header"]
            assert headers == ([] if method == "get" else ["Idempotency-Key"])

    def test_refusals_are_problems_and_all_want_the_token(
        self, document: dict[str, Any], operations: list[tuple[str, dict[str, Any]]]
    ) -> None:
        [(name, scheme)] = document["components"]["securitySchemes"].items()
        assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
        for _, operation in operations:
            assert operation["security"] == [{name: []}]
            assert {"401", "422"} <= operation["responses"].keys()
            for status, response in operation["responses"].items():
                kind = "application/json" if status < "400" else "application/problem+json"
                assert list(response["content"]) == [kind]


class TestToken:
    def test_is_wanted_where_it_is_set(self, tmp_path: Path) -> None:
        backend = Backend(tmp_path / "orders.db", token="geheim")
        try:
            for token in (None, "Bearer wrong", "Basic Z2VoZWlt"):
                headers = {"Authorization": token} if token else {}
                for method, path in (("GET", "/orders/1042"), ("POST", "/orders/1041/cancel")):
                    response = backend.client.request(method, path, headers=headers)
                    assert_problem(response, 401, "Authorization: Bearer")
                    assert response.headers["www-authenticate"] == "Bearer"
            assert backend.keys() == []
            headers = {"Authorization": "Bearer geheim"}
            assert backend.client.get("/orders/1042", headers=headers).json()["id"] == 1042
        finally:
            backend.kill()
