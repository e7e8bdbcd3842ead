"""An API of five lines in the settings: its operations are planned, approved and run once, and its key stays hidden."""

from __future__ import annotations

import json
import logging

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.apis import ApiSettings
from agent.checkpoints import open_checkpointer
from agent.context import Context
from examples.shop.ledger import effects
from graphs.assistant import build
from tests.support.model_server import Reply
from tests.support.shop_backend import Backend

TOKEN = "shop-token-5f1c9"
THREAD = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def backend(tmp_path):
    shop = Backend(tmp_path / "shop.sqlite", TOKEN)
    yield shop
    shop.kill()


@pytest.fixture
def deployment(settings, backend, tmp_path, monkeypatch):
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(backend.client.get("/openapi.json").json()))
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    api = ApiSettings.model_validate(
        {
            "name": "shop",
            "spec": str(document),
            "base_url": str(backend.client.base_url),
            "auth": {"header": "Authorization", "prefix": "Bearer ", "env": "SHOP_TOKEN"},
        }
    )
    return settings.model_copy(update={"apis": [api], "approvals": {}})


PLAN = Reply(
    calls=[
        ("createRefund", {"order_id": 1042, "amount": 88.9, "reason": "Arrived damaged"}),
        ("getCustomer", {"customer_id": "${1.customer_id}"}),
    ]
)


async def test_a_refund_is_approved_with_its_exact_request_and_the_rest_of_the_plan_goes_on(
    deployment, backend, model_server, tmp_path, caplog
):
    model_server.will(PLAN, "Refunded; 113.90 EUR are on the account.")
    with caplog.at_level(logging.DEBUG):
        async with open_checkpointer(deployment) as checkpointer:
            graph = build(settings=deployment, checkpointer=checkpointer)
            asked = {"messages": [("user", "Refund order 1042. What is left on the account?")]}
            state = await graph.ainvoke(asked, THREAD, context=Context())
            [action] = state["__interrupt__"][0].value["action_requests"]
            assert f"POST {backend.client.base_url}/refunds" in action["description"]
            assert '"amount":88.9' in action["description"].replace(" ", "")
            assert effects(backend.database) == []
            state = await graph.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    assert [step["status"] for step in state["plan"]] == ["finished", "finished"]
    assert "113.9" in str(state["messages"][-2].content)
    [effect] = effects(backend.database)
    assert effect.key
    left_behind = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert TOKEN.encode() not in left_behind
    assert TOKEN not in caplog.text + str(model_server.requests) + str(state)


async def test_an_error_of_the_api_is_the_steps_error(deployment, model_server):
    model_server.will(Reply(calls=[("getOrder", {"order_id": 9999})]), "There is no such order.")
    graph = build(settings=deployment, checkpointer=InMemorySaver())
    state = await graph.ainvoke({"messages": [("user", "Where is order 9999?")]}, THREAD)
    [step] = state["plan"]
    assert (step["status"], "404" in step["error"]) == ("failed", True)


async def test_an_api_that_cannot_be_read_is_left_out_and_the_rest_works(deployment, model_server, caplog):
    broken = ApiSettings.model_validate({"name": "broken", "spec": "/nowhere/openapi.json"})
    settings = deployment.model_copy(update={"apis": [broken, *deployment.apis]})
    model_server.will(Reply(calls=[("getOrder", {"order_id": 1042})]), "It is on its way.")
    state = await build(settings=settings).ainvoke({"messages": [("user", "Where is order 1042?")]})
    assert state["plan"][0]["status"] == "finished"
    assert "the API broken is left out" in caplog.text
