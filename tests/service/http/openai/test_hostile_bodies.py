"""Whatever a client sends, it is told what is wrong, and the service goes on."""

from __future__ import annotations

import json

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.model_server import Reply

TEXTS = st.text(max_size=20) | st.sampled_from(["", "\0", "\ud800", "[1]", "helpdesk", "selfhelp", "../sql"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text") | TEXTS}, optional={"text": TEXTS | JSON}), max_size=3)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "robot"])},
        optional={"content": TEXTS | PARTS | JSON, "tool_calls": JSON, "tool_call_id": JSON, "name": JSON},
    ),
    max_size=4,
)
ASKED = MESSAGES.map(lambda messages: [*messages, {"role": "user", "content": "?"}])
RESPONSES = st.fixed_dictionaries(
    {"model": st.just("helpdesk") | TEXTS, "input": TEXTS | ASKED | JSON},
    optional={
        "instructions": TEXTS | JSON,
        "previous_response_id": TEXTS | JSON,
        "metadata": JSON,
        "stream": st.booleans() | JSON,
        "store": st.booleans() | JSON,
        "text": JSON,
    },
)
COMPLETIONS = st.fixed_dictionaries(
    {"model": st.sampled_from(["helpdesk", "sql"]) | TEXTS, "messages": ASKED | MESSAGES | JSON},
    optional={
        "stream": st.booleans() | JSON,
        "temperature": JSON,
        "max_tokens": JSON,
        "stream_options": JSON,
        "stop": JSON,
        "n": JSON,
        "user": JSON,
    },
)
TORN, MARKED = "boots \ud800", "boots \ufffd"
LIMITS = settings(max_examples=60)


@pytest.fixture
def post(service, model):
    model.repeat = lambda _: Reply("Yes.")
    with httpx2.Client(base_url=service.url, trust_env=False, timeout=100) as http:
        yield lambda path, body: http.post(path, content=body, headers={"Content-Type": "application/json"})


def asked(text):
    return {"model": "sql", "messages": [{"role": "user", "content": text}]}


@LIMITS
@example(asked("\0"))
@example(asked("\ud800"))
@example(asked("x") | {"max_tokens": 10**30, "temperature": float("nan")})
@given(COMPLETIONS)
def test_no_request_for_a_completion_breaks_the_service(post, body):
    _told(post("/chat/completions", json.dumps(body).encode()))


@LIMITS
@example({"model": "sql", "input": "\0", "metadata": {"\0": "\0"}})
@given(RESPONSES)
def test_no_request_for_a_response_breaks_the_service(post, body):
    _told(post("/responses", json.dumps(body).encode()))


@pytest.mark.parametrize("path", ["/responses/%00", "/responses/a%2Fb", "/models/%F0%9F%A7", "/models/..", "/none"])
def test_no_path_breaks_the_service(service, model, path):
    answer = httpx2.get(f"{service.url}{path}", trust_env=False)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"n":' + b"9" * 5000 + b"}"]
)
def test_a_body_that_is_no_request_is_refused(post, body):
    answer = post("/chat/completions", body)
    _told(answer)
    assert answer.status_code == 400


def test_half_a_surrogate_pair_reaches_the_model_as_a_mark(post, model):
    for path, body in (("/chat/completions", asked(TORN)), ("/responses", {"model": "sql", "input": TORN})):
        assert post(path, json.dumps(body).encode()).status_code == 200
        assert model.requests[-1]["messages"][-1]["content"] == MARKED


def _told(answer):
    assert answer.status_code in (200, 400, 404, 413), answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    elif answer.headers["Content-Type"].startswith("text/event-stream"):
        assert answer.text.endswith("data: [DONE]\n\n") or "event: response.completed\n" in answer.text
    else:
        assert not answer.json().get("error")


def test_where_a_body_stops_being_json_is_told(post):
    for path in ("/chat/completions", "/responses"):
        error = post(path, b'{"model":').json()["error"]
        assert error["message"] == "the body is no JSON: Expecting value at character 9"
        assert error["param"] is None
