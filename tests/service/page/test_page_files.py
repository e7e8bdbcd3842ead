"""The page's files: what came from elsewhere is as it came, and the server sends all of it as it should."""

from __future__ import annotations

import json
import re

import httpx2
import pytest

from service.page import FILES
from service.page.vendor import LIBRARIES, SUMS, VENDOR, sums


def test_vendored_files_are_those_whose_sums_are_on_record():
    assert sums() == json.loads(SUMS.read_text())
    assert set(sums()) == {name for library in LIBRARIES for name in library.files.values()}


def test_every_library_has_its_licence():
    licences = {path.stem: path.read_text() for path in (VENDOR / "licences").iterdir()}
    assert licences.keys() == {library.package.removeprefix("@").replace("/", "-") for library in LIBRARIES}
    assert all(re.search(r"MIT|Apache|Redistribution|Permission", text) for text in licences.values())


def test_nothing_is_loaded_from_elsewhere():
    own = [path for path in FILES.rglob("*") if path.suffix in {".js", ".css", ".html"} and VENDOR not in path.parents]
    loads = re.compile(r"(?:src|href)=\"(?:https?:)?//|@import|url\(|import [^\n]*\"https?:")
    assert [path.name for path in own if loads.search(path.read_text())] == []


@pytest.fixture
def index(service):
    return httpx2.get(service.url)


def test_files_are_kept_by_browsers_and_change_their_address_with_their_contents(service, index):
    assert index.headers["cache-control"] == "no-cache"
    [script] = re.findall(r'<script type="module" src="([^"]+)"', index.text)
    found = httpx2.get(service.url + script)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"].startswith("text/javascript")
    assert re.fullmatch(r"static/[0-9a-f]{16}/app\.js", script)


def test_only_the_pages_own_code_may_run(index):
    policy = dict(each.split(" ", 1) for each in index.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "<style" not in index.text
    assert re.findall(r"<script(?! [^>]*src=)", index.text) == []
