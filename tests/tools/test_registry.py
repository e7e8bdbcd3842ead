from __future__ import annotations

import asyncio
import json

import pytest

from agent.apis import ApiSettings
from agent.errors import SettingsError
from agent.knowledge.location import directory
from agent.settings import load_settings
from agent.toolset import BoundTool
from tools.openapi import ApiFailed, load_api
from tools.registry import api_tools, loader

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Till", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:1"}],
    "paths": {
        "/payments": {
            "post": {"operationId": "pay", "responses": {"200": {"description": "paid"}}},
            "delete": {"operationId": "payBack", "responses": {"200": {"description": "paid back"}}},
            "get": {"operationId": "payments", "responses": {"200": {"description": "all"}}},
        }
    },
}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "till.json"
    path.write_text(json.dumps(DOCUMENT))
    return str(path)


async def test_what_takes_a_write_back_is_of_the_same_api_where_two_have_the_same_names(settings, document):
    apis = [ApiSettings(name=name, spec=document, undo={"pay": "payBack"}) for name in ("one", "two")]
    tools = await api_tools(settings.model_copy(update={"apis": apis}), {"payments"})
    undo = {bound.name: bound.undo for bound in map(BoundTool, tools)}
    assert undo == {
        "pay": "payBack",
        "payBack": None,
        "one_payments": None,
        "two_pay": "two_payBack",
        "two_payBack": None,
        "two_payments": None,
    }


async def test_names_that_collide_with_a_mended_one_are_mended_too(settings, document):
    api = ApiSettings(name="t" * 40, spec=document)
    taken = {"pay", f"{'t' * 40}_pay", "payments"}
    names = [tool.name for tool in await api_tools(settings.model_copy(update={"apis": [api]}), taken)]
    assert names == [tool.name for tool in await api_tools(settings.model_copy(update={"apis": [api]}), taken)]
    assert len({*names, *taken}) == len(names) + len(taken)
    assert max(map(len, names)) <= 64


def test_two_sources_of_tools_cannot_have_one_name():
    given = {"name": "till", "spec": "till.json"}
    with pytest.raises(SettingsError, match=r"two of \[\[apis\]\] and \[\[mcp\]\] are named 'till': rename one"):
        load_settings(apis=[given], mcp=[{"name": "till", "command": "x"}])


async def test_what_reads_takes_nothing_back(document):
    with pytest.raises(ApiFailed, match="'payments', which reads"):
        await load_api(ApiSettings(name="till", spec=document, undo={"pay": "payments"}))


async def test_runs_that_find_the_first_document_at_once_have_one_search(settings):
    load = loader([])
    before = await load(settings)
    directory(settings).mkdir(parents=True)
    (directory(settings) / "knowledge.sqlite").touch()
    await asyncio.gather(load(settings), load(settings))
    names = [tool.name for tool in await load(settings)]
    assert sorted(names) == sorted(["search", *(tool.name for tool in before)])
