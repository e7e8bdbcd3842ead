"""`selfhelp apis check` against the example company's backend, in a process of its own."""

from __future__ import annotations

import json

import pytest

from tests.support.shop_backend import Backend

TOKEN = "shop-token-77ab1"
AUTH = 'auth = { header = "Authorization", prefix = "Bearer ", env = "SHOP_TOKEN" }'


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    shop = Backend(tmp_path_factory.mktemp("shop") / "shop.sqlite", TOKEN)
    yield shop
    shop.kill()


@pytest.fixture
def shop(backend):
    """Return the settings of the API, under a name and with more to say about it."""

    def settings(more="", name="shop"):
        return f'[[apis]]\nname = "{name}"\nspec = "{backend.client.base_url}/openapi.json"\n{AUTH}\n{more}\n'

    return settings


@pytest.fixture
def check(run, tmp_path):
    def checked(settings, *options):
        (tmp_path / "selfhelp.toml").write_text(settings)
        done = run("apis", "check", *options, SHOP_TOKEN=TOKEN)
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return checked


def test_each_tool_is_shown_with_what_it_does(check, shop, backend):
    done = check(shop())
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:2] == ["shop", f"{backend.client.base_url}/"]
    assert ["write", "createRefund", "POST", "/refunds"] in lines
    assert ["read", "getOrder", "GET", "/orders/{order_id}"] in lines


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "192.168.0.7"])
def test_a_private_address_that_only_the_document_names_is_told_before_calls_fail(check, tmp_path, host):
    (tmp_path / "till.yaml").write_text(
        f"openapi: 3.1.0\ninfo: {{title: Till, version: '1'}}\nservers: [{{url: 'http://{host}:1/'}}]\n"
        "paths: {/a: {get: {operationId: a, responses: {'200': {description: a}}}}}\n"
    )
    settings = '[[apis]]\nname = "till"\nspec = "till.yaml"\n'
    assert "its calls will fail" in check(settings).stdout
    assert json.loads(check(settings, "--json").stdout)["refused"]
    for named in ("allow_private = true", f'base_url = "http://{host}:1/"'):
        assert "its calls will fail" not in check(settings + named).stdout


def test_as_json_it_is_a_line_for_each_api(check, shop):
    done = check(shop(), "--json")
    assert done.returncode == 0, done.stderr
    [api] = map(json.loads, done.stdout.splitlines())
    by_name = {tool.pop("name"): tool for tool in api["tools"]}
    assert by_name["createRefund"] == {"effect": "write", "operation": "POST /refunds", "honours_key": True}
    assert by_name["listStock"]["effect"] == "read"
    assert api["skipped"] == []


def test_a_credential_that_is_not_there_is_said(run, shop, tmp_path, model_server):
    (tmp_path / "selfhelp.toml").write_text(shop() + '[[apis]]\nname = "gone"\nspec = "gone.json"\n')
    assert "SHOP_TOKEN is not set: its calls will fail" in run("apis", "check").stdout
    model_server.will("ok")
    [check] = [each for each in json.loads(run("doctor", "--json").stdout) if each["name"] == "apis"]
    missing = "shop: its credential is not there: set SHOP_TOKEN"
    assert check["found"] == f"{missing}; gone: gone.json cannot be read: No such file or directory"
    assert not check["ok"]


def test_what_the_settings_correct_and_leave_out_is_shown(check, shop):
    done = check(shop('effects = { createRefund = "read" }\nexclude = ["stock"]'), "--json")
    [api] = map(json.loads, done.stdout.splitlines())
    effects = {tool["name"]: tool["effect"] for tool in api["tools"]}
    assert (effects["createRefund"], effects["cancelRefund"]) == ("read", "write")
    assert {each["operation"] for each in api["skipped"]} == {
        "GET /stock", "GET /stock/{sku}", "POST /reservations",
    }  # fmt: skip
    assert {each["reason"] for each in api["skipped"]} == {"left out by include and exclude"}


def test_a_document_that_cannot_be_read_does_not_hide_the_other_api(check, shop, tmp_path):
    (tmp_path / "half.yaml").write_text("openapi: [3")
    (tmp_path / "old.json").write_text('{"swagger": "2.0"}')
    specs = {"half": "half.yaml", "old": "old.json", "gone": "gone.json"}
    broken = "".join(f'[[apis]]\nname = "{name}"\nspec = "{spec}"\n' for name, spec in specs.items())
    done = check(broken + shop())
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert all(f"{name}: " in said for name in specs)
    assert "createRefund" in done.stdout


def test_as_json_one_that_cannot_be_read_is_a_line_too(check, shop):
    done = check('[[apis]]\nname = "gone"\nspec = "gone.json"\n' + shop(), "--json")
    assert done.returncode == 1
    gone, shop_api = map(json.loads, done.stdout.splitlines())
    assert (gone["name"], shop_api["name"]) == ("gone", "shop")
    assert "gone.json" in gone["error"]


def test_a_setting_about_an_operation_that_is_not_there_is_named(check, shop):
    wrong = {
        "undoing": 'undo = { createRefund = "cancelRefnd" }',
        "undone": 'undo = { createRefnd = "cancelRefund" }',
        "shown": 'always = ["getOrdr"]',
        "corrected": 'effects = { listStok = "read" }',
        "left_out": 'undo = { createRefund = "cancelRefund" }\nexclude = ["cancelRefund"]',
    }
    done = check("".join(shop(more, name) for name, more in wrong.items()))
    assert done.returncode == 1
    said = done.stdout + done.stderr
    missing = ["cancelRefnd", "createRefnd", "getOrdr", "listStok", "cancelRefund"]
    for name, operation in zip(wrong, missing, strict=True):
        assert f"no usable operation '{operation}': effects, undo and always of the API '{name}'" in said


def test_without_apis_it_says_where_they_go(run):
    done = run("apis", "check")
    assert done.returncode != 0
    assert "[[apis]]" in done.stderr
