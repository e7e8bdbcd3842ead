"""Chat completions, as the official Python client and LangChain's see them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest
from langchain_openai import ChatOpenAI

from tests.support.model_server import Reply
from tests.support.processes import wait_until

SEARCH = Reply(calls=[("search", {"query": "boots returned"})])
ANSWER = "Within 60 days [1], not [7]."
CITED = "Within 60 days [1], not."
LISTED = f"{CITED}\n\nSources:\n\n- [1] Returns (returns.md, lines 1–3)"


def user(text):
    return {"role": "user", "content": text}


def ask(client, text="How long can I return boots?", **options):
    return client.chat.completions.create(model="helpdesk", messages=[user(text)], **options)


def test_the_whole_answer_is_what_is_streamed(client, model):
    model.will(SEARCH, ANSWER, SEARCH, ANSWER)
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(said) == whole.choices[0].message.content == LISTED
    assert len(said) > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-2:] == [None, "stop"]
    assert whole.choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert whole.usage.prompt_tokens > whole.usage.completion_tokens > 0
    assert chunks[-2].selfhelp["sources"] == whole.selfhelp["sources"]
    assert [step["tool"] for step in whole.selfhelp["plan"]] == ["search"]


def test_flags_are_beside_the_answer_and_not_in_its_text(client, model):
    model.will(SEARCH, "Within 77 days [1].", SEARCH, "Within 77 days [1].")
    whole, *_, last, _ = (
        ask(client),
        *ask(client, stream=True, stream_options={"include_usage": True}),
    )
    assert whole.choices[0].message.content.startswith("Within 77 days [1].\n\nSources:")
    assert [flag["text"] for flag in whole.selfhelp["flags"]] == ["77 days"]
    assert last.selfhelp["flags"] == whole.selfhelp["flags"]


def test_citations_are_annotations_as_of_a_web_search(client, model):
    model.will(SEARCH, ANSWER)
    message = ask(client, extra_headers={"X-Selfhelp-Sources": "annotations"}).choices[0].message
    assert message.content == CITED
    [citation] = [annotation.url_citation for annotation in message.annotations]
    assert message.content[citation.start_index : citation.end_index] == "[1]"
    assert citation.title == "Returns"
    assert citation.url.endswith("docs/returns.md")


def test_a_title_of_a_document_leads_nowhere(client, model):
    model.will(Reply(calls=[("search", {"query": "Heron tent"})]), "1.9 kg [1].")
    content = ask(client).choices[0].message.content
    assert "- [1] Tents" in content
    assert "evil.example" not in content


def test_what_is_said_before_tools_are_called_stands_apart(client, model):
    replies = [Reply("Let me see.", calls=[("calculator", {"expression": "2*3"})]), "It is 6."]
    model.will(*replies, *replies)
    chunks = list(ask(client, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == ask(client).choices[0].message.content == "Let me see.\n\nIt is 6."


def test_a_conversation_goes_on_with_the_wishes_of_its_application_below_the_rules(client, model):
    rules = {"role": "system", "content": "Answer in German."}
    model.will("Ja.", "Doch.")
    first = [rules, user("Is it so?")]
    client.chat.completions.create(model="helpdesk", messages=first)
    tool_call = {"id": "c", "type": "function", "function": {"name": "other", "arguments": "{"}}
    earlier = [
        {"role": "assistant", "content": None, "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": "c", "content": "result"},
        {"role": "assistant", "content": LISTED},
    ]
    parts = [{"type": "text", "text": "Really?"}, {"type": "text", "text": "Sure?"}]
    client.chat.completions.create(
        model="helpdesk", messages=[*first, *earlier, {"role": "user", "content": parts, "name": "Ann"}]
    )
    before, after = (request["messages"] for request in model.requests)
    assert [message["role"] for message in before] == ["system", "user", "user"]
    assert before[1]["content"].endswith("\n\nAnswer in German.")
    assert after[:3] == before
    assert [(message["role"], message["content"]) for message in after[3:]] == [
        ("assistant", "Within 60 days, not."),
        ("user", "Really?\nSure?"),
    ]


def test_temperature_and_limit_reach_the_model(client, model):
    model.will("Yes.", "Yes.")
    ask(client, temperature=0.7, max_completion_tokens=300)
    ask(client, max_tokens=1)
    first, second = model.requests
    assert (first["temperature"], first["max_tokens"]) == (0.7, 300)
    assert (second["temperature"], second["max_tokens"]) == (0.0, 16)


def test_fields_that_change_no_meaning_are_ignored(client, model):
    model.will("Yes.")
    harmless = {"user": "u", "seed": 1, "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "top_p": 0.9}
    nothing = {"n": 1, "logprobs": False, "tools": [], "stop": [], "response_format": {"type": "text"}}
    assert ask(client, **harmless, **nothing).choices[0].message.content == "Yes."


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "x"}}]),
        ("tool_choice", "required"),
        ("n", 2),
        ("logprobs", True),
        ("stop", ["."]),
        ("modalities", ["text", "audio"]),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}),
        ("temperature", 3),
        ("max_tokens", 0),
    ],
)
def test_what_cannot_be_kept_to_is_refused(client, param, value):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, **{param: value})
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"role": "assistant", "content": "x"}], "messages"),
        ([{"role": "robot", "content": "x"}], "messages.0.role"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            "messages.0.content.0.type",
        ),
    ],
)
def test_messages_that_cannot_be_read_are_refused(client, messages, param):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="helpdesk", messages=messages)
    assert refused.value.param == param


def test_personas_are_models(client):
    listed = [each.id for each in client.models.list()]
    assert listed[0] == "selfhelp"
    assert {"helpdesk", "sql", "tutor"} < set(listed)
    assert client.models.retrieve("sql").id == "sql"
    for unknown in (
        lambda: client.models.retrieve("gpt-4"),
        lambda: ask(client.with_options(), extra_body={"model": "x"}),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            unknown()
        assert error.value.code == "model_not_found"


def test_a_persona_answers_as_itself(client, model):
    model.will("SELECT 1;")
    client.chat.completions.create(model="sql", messages=[user("One?")])
    assert "SQL assistant" in model.requests[0]["messages"][0]["content"]


def test_progress_is_shown_in_comments_when_asked_for(client, model):
    replies = [Reply(calls=[("calculator", {"expression": "2*3"})]), "It is 6."]
    model.will(*replies, *replies)
    raw = client.chat.completions.with_streaming_response
    shown = {"X-Selfhelp-Progress": "comments"}
    texts = []
    for headers in ({}, shown):
        with raw.create(model="sql", messages=[user("?")], stream=True, extra_headers=headers) as response:
            texts.append("".join(response.iter_text()))
    assert "calculator" not in texts[0].split('"selfhelp"')[0]
    comments = [line for line in texts[1].splitlines() if line.startswith(": ")]
    assert ['"status": "started"' in line for line in comments] == [True, False]
    assert texts[1].endswith("data: [DONE]\n\n")


def test_a_turn_that_fails_raises_in_whole_and_in_mid_stream(client, model):
    with pytest.raises(openai.InternalServerError, match="no_such_tool") as failed:
        client.chat.completions.create(model="broken", messages=[user("?")])
    assert failed.value.response.headers["x-should-retry"] == "false"
    stream = client.chat.completions.create(model="broken", messages=[user("?")], stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    with pytest.raises(openai.APIError, match="no_such_tool"):
        list(stream)


def test_an_answer_without_a_model_says_so(client, model):
    model.will(Reply(status=400))
    answer = ask(client)
    assert answer.choices[0].message.content.startswith("No model could answer")
    assert "HTTP 400" in answer.selfhelp["degraded"]


def test_a_write_waits_for_a_person_and_its_thread_with_it(client, model, service):
    model.will(Reply(calls=[("note", {"text": "a"})]))
    answer = ask(client, "Note a.")
    waiting = answer.selfhelp["waiting"]
    assert [action["name"] for action in waiting["actions"]] == ["note"]
    assert f"POST /api/runs/{waiting['run_id']}/decisions" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert waiting["thread_id"] in service.threads_left()
    run = "SELECT runs.status, runs.owner, title, origin FROM runs JOIN threads ON thread_id = threads.id WHERE runs.id = '{}'"
    assert service.rows(run.format(waiting["run_id"])) == [("waiting", "local", "Note a.", "openai")]
    assert "note a" not in service.log("runs.log")


def test_nothing_is_left_of_a_turn_but_what_it_used(client, model, service):
    before = service.threads_left()
    model.will(SEARCH, ANSWER)
    answer = ask(client)
    turn = answer.id.removeprefix("chatcmpl-")
    used = service.model_calls("node, owner, persona, model, input, output", f"turn = '{turn}'")
    assert [row[:4] for row in used] == [
        ("planner", "local", "helpdesk", "compatible:scripted"),
        ("responder", "local", "helpdesk", "compatible:scripted"),
    ]
    assert sum(row[4] for row in used) == answer.usage.prompt_tokens
    assert sum(row[5] for row in used) == answer.usage.completion_tokens
    assert service.threads_left() == before


def test_nothing_is_left_of_a_turn_that_wrote(client, model, service):
    model.will(Reply(calls=[("note", {"text": "a secret"})]), "Noted.")
    answer = client.chat.completions.create(model="hasty", messages=[user("Note a secret.")])
    assert answer.choices[0].message.content == "Noted."
    assert service.log("runs.log").count("note a secret\n") == 1
    assert service.rows("SELECT request FROM intents WHERE request LIKE '%a secret%'", "effects.sqlite") == []


def test_a_database_that_fails_under_way_is_said(client, model, service):
    gate = threading.Event()
    model.will(Reply("Never told.", gate=gate))
    with ThreadPoolExecutor() as beside:
        asking = beside.submit(ask, client)
        wait_until(lambda: model.requests)
        service.change("ALTER TABLE checkpoints RENAME TO away", "threads.sqlite")
        gate.set()
        failure = asking.exception()
    service.change("ALTER TABLE away RENAME TO checkpoints", "threads.sqlite")
    assert (failure.status_code, failure.code) == (503, "unavailable")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_its_turn(service, model, stream):
    before = service.threads_left()
    spent = service.model_calls("id")
    name = f"left-{stream}"
    model.will(Reply(calls=[("hang", {"text": name})]))
    async with openai.AsyncOpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        asking = asyncio.create_task(_read(client, stream))
        await asyncio.to_thread(wait_until, (service.folder / f"{name}.pid").exists)
        await asyncio.to_thread(wait_until, lambda: service.threads_left() > before)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await asyncio.to_thread(wait_until, lambda: service.threads_left() == before)
    assert len(service.model_calls("id")) == len(spent) + 1


async def _read(client, stream):
    answer = await client.chat.completions.create(model="helpdesk", messages=[user("?")], stream=stream)
    async for _ in answer:
        pass


async def test_langchain_reads_it_as_chatgpt(service, model):
    model.will(SEARCH, ANSWER, SEARCH, ANSWER)
    chat = ChatOpenAI(model="helpdesk", base_url=service.url, api_key="none", stream_usage=True)
    whole = await chat.ainvoke("How long can I return boots?")
    pieces = [piece async for piece in chat.astream("How long can I return boots?")]
    assert whole.text == "".join(piece.text for piece in pieces) == LISTED
    streamed = sum(pieces[1:], pieces[0])
    assert streamed.usage_metadata == whole.usage_metadata
    assert streamed.response_metadata["finish_reason"] == "stop"


def test_a_write_that_a_person_approves_is_done(client, model, service):
    model.will(Reply(calls=[("note", {"text": "c"})]), "Noted.")
    rules = {"role": "system", "content": "Be brief."}
    answer = client.chat.completions.create(model="helpdesk", messages=[rules, user("Note c.")])
    run = f"/api/runs/{answer.selfhelp['waiting']['run_id']}"
    with httpx2.Client(base_url=service.url.removesuffix("/v1"), trust_env=False, timeout=100) as http:
        decided = http.post(f"{run}/decisions", json={"decisions": [{"type": "approve"}]})
        assert decided.status_code == 202, decided.text
        joined = http.get(f"{run}/join").json()
    assert (joined["status"], joined["message"]["text"]) == ("finished", "Noted.")
    assert service.log("runs.log").count("note c\n") == 1
    turn = answer.selfhelp["waiting"]["run_id"]
    assert service.model_calls("node", f"turn = '{turn}'") == [("planner",), ("responder",)]
