"""Responses, as the official Python client sees them: conversations that the service keeps."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import openai
import pytest

from tests.support.model_server import Reply
from tests.support.processes import wait_until

SEARCH = Reply(calls=[("search", {"query": "boots returned"})])
ANSWER = "Within 60 days [1]."
LISTED = f"{ANSWER}\n\nSources:\n\n- [1] Returns (returns.md, lines 1–3)"
QUESTION = "How long can I return boots?"


def ask(client, text=QUESTION, **options):
    return client.responses.create(model="helpdesk", input=text, **options)


def prompts(model):
    return [
        [(message["role"], message["content"]) for message in request["messages"]][1:] for request in model.requests
    ]


@pytest.fixture
def page(service):
    with httpx2.Client(base_url=service.url.removesuffix("v1"), trust_env=False, timeout=100) as page:
        yield page


def test_the_whole_response_is_what_is_streamed(client, model):
    model.will(SEARCH, ANSWER, SEARCH, ANSWER)
    whole = ask(client)
    with client.responses.stream(model="helpdesk", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == final.output_text == whole.output_text == LISTED
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events if not event.type.endswith("delta")] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert final.status == whole.status == "completed"
    assert final.usage == whole.usage
    assert whole.usage.input_tokens > whole.usage.output_tokens > 0
    [citation] = whole.output[0].content[0].annotations
    assert whole.output_text[citation.start_index : citation.end_index] == "[1]"
    assert citation.title == "Returns"


def test_a_response_is_kept_with_its_conversation_until_it_is_deleted(client, model, service):
    model.will("Yes.", "Still yes.")
    first = ask(client, metadata={"ticket": "7"})
    second = ask(client, "Still?", previous_response_id=first.id)
    read = client.responses.retrieve(first.id)
    assert (read.output_text, read.metadata) == ("Yes.", {"ticket": "7"})
    [thread] = service.rows(f"SELECT thread_id FROM responses WHERE id = '{first.id}'")
    assert service.rows(f"SELECT thread_id FROM responses WHERE id = '{second.id}'") == [thread]
    assert service.rows(f"SELECT title, origin FROM threads WHERE id = '{thread[0]}'") == [(QUESTION, "openai")]
    run = f"SELECT status, thread_id FROM runs WHERE id = '{second.id.removeprefix('resp_')}'"
    assert service.rows(run) == [("finished", thread[0])]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    assert thread[0] in service.threads_left()
    client.responses.delete(second.id)
    assert thread[0] not in service.threads_left()
    assert service.rows(f"SELECT id FROM threads WHERE id = '{thread[0]}'") == []


def test_each_response_can_be_gone_on_from_many_times(client, model):
    model.will("One.", "Two.", "Other two.", "Three.")
    first = ask(client, "1?")
    second = ask(client, "2?", previous_response_id=first.id)
    ask(client, "other 2?", previous_response_id=first.id)
    ask(client, "3?", previous_response_id=second.id)
    begun = [("user", "1?"), ("assistant", "One.")]
    assert prompts(model)[1:] == [
        [*begun, ("user", "2?")],
        [*begun, ("user", "other 2?")],
        [*begun, ("user", "2?"), ("assistant", "Two."), ("user", "3?")],
    ]


def test_what_was_asked_on_the_page_since_a_response_is_not_heard_by_what_goes_on_from_it(client, model, service, page):
    model.will("One.", "To the page.", "Two.", "Three.")
    first = ask(client, "1?")
    [[thread]] = service.rows(f"SELECT thread_id FROM responses WHERE id = '{first.id}'")
    run = page.post(f"api/threads/{thread}/runs", json={"text": "Asked on the page?"}).json()["id"]
    assert page.get(f"api/runs/{run}/join").json()["status"] == "finished"
    second = ask(client, "2?", previous_response_id=first.id)
    ask(client, "3?", previous_response_id=second.id)
    begun = [("user", "1?"), ("assistant", "One."), ("user", "2?")]
    assert prompts(model)[2:] == [begun, [*begun, ("assistant", "Two."), ("user", "3?")]]


def approve(page, run):
    page.post(f"api/runs/{run}/decisions", json={"decisions": [{"type": "approve"}]}).raise_for_status()


def test_what_a_person_decided_on_the_page_is_heard_by_all_that_goes_on_from_the_response(client, model, page):
    noted, yes = "It is noted.", "Yes, it is."
    model.will(Reply(calls=[("note", {"text": "decided"})]), noted, yes, yes, yes)
    first = ask(client, "Note it.")
    run = first.selfhelp["waiting"]["run_id"]
    approve(page, run)
    assert page.get(f"api/runs/{run}/join").json()["status"] == "finished"
    for stored in (True, True, False):
        ask(client, "Is it?", previous_response_id=first.id, store=stored)
        assert prompts(model)[-1][-2:] == [("assistant", noted), ("user", "Is it?")]


def test_a_turn_that_is_refused_while_another_goes_on_can_be_begun_again_in_its_thread(client, model, page, service):
    gate = threading.Event()
    model.will(Reply(calls=[("note", {"text": "retried"})]), Reply("It is noted.", gate=gate), "Yes, it is.")
    first = ask(client, "Note it.")
    run = first.selfhelp["waiting"]["run_id"]
    approve(page, run)
    with pytest.raises(openai.ConflictError):
        ask(client, "Is it?", previous_response_id=first.id)
    gate.set()
    page.get(f"api/runs/{run}/join").raise_for_status()
    second = ask(client, "Is it?", previous_response_id=first.id)
    threads = f"SELECT DISTINCT thread_id FROM responses WHERE id IN ('{first.id}', '{second.id}')"
    assert len(service.rows(threads)) == 1


def test_sources_keep_their_numbers_in_a_conversation(client, model):
    model.will(SEARCH, ANSWER, "As said [1].")
    first = ask(client)
    second = ask(client, "Sure?", previous_response_id=first.id)
    assert second.output_text == f"As said [1].{LISTED.removeprefix(ANSWER)}"


def test_instructions_count_for_their_turn_only(client, model):
    model.will("Ja.", "Oui.", "Yes.")
    first = ask(client, "1?", instructions="In German.")
    second = ask(client, "2?", instructions="In French.", previous_response_id=first.id)
    ask(client, "3?", previous_response_id=second.id)
    german, french, none = prompts(model)
    assert german[0][1].endswith("In German.")
    assert french[0][1].endswith("In French.")
    assert "German" not in str(french)
    assert none[0] == ("user", "1?")


def test_what_is_not_stored_leaves_nothing_behind(client, model, service):
    model.will("One.", "Two.", "Three.")
    first = ask(client, "1?")
    before = service.threads_left()
    items = [{"role": "user", "content": "2?"}, {"type": "reasoning", "summary": []}]
    second = ask(client, items, previous_response_id=first.id, store=False)
    ask(
        client, [*items, *[item.model_dump() for item in second.output], {"role": "user", "content": "3?"}], store=False
    )
    assert service.threads_left() == before
    assert prompts(model)[1] == [("user", "1?"), ("assistant", "One."), ("user", "2?")]
    assert prompts(model)[2] == [("user", "2?"), ("assistant", "Two."), ("user", "3?")]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)


def test_what_is_not_there_or_cannot_be_kept_to_is_refused(client):
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-4", input="?")
    for param, value in [
        ("previous_response_id", "resp_none"),
        ("tools", [{"type": "web_search"}]),
        ("background", True),
        ("input", [{"role": "assistant", "content": "x"}]),
    ]:
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(**({"model": "helpdesk", "input": "?"} | {param: value}))
        assert refused.value.param == param


def test_a_request_that_waits_is_given_up_when_the_person_goes_on(client, model, service):
    model.will(Reply(calls=[("note", {"text": "b"})]), "Fine, I leave it.")
    first = ask(client, "Note b.")
    waiting = first.selfhelp["waiting"]
    status = f"SELECT status FROM runs WHERE id = '{waiting['run_id']}'"
    assert waiting["run_id"] in first.output_text
    assert service.rows(status) == [("waiting",)]
    assert ask(client, "Never mind.", previous_response_id=first.id).output_text == "Fine, I leave it."
    assert service.rows(status) == [("cancelled",)]
    assert "note b" not in service.log("runs.log")


def test_a_turn_that_fails_says_so(client, model, service):
    with client.responses.stream(model="broken", input="?") as stream:
        *_, last = stream
    assert last.type == "response.failed"
    assert "no_such_tool" in last.response.error.message
    run = f"SELECT status FROM runs WHERE id = '{last.response.id.removeprefix('resp_')}'"
    assert service.rows(run) == [("failed",)]


@pytest.fixture
def deleted_just_then(service):
    """Threads are deleted in the moment in which an answer of theirs is to be kept."""
    when = "CREATE TRIGGER just_then BEFORE INSERT ON responses BEGIN DELETE FROM threads WHERE id = NEW.thread_id; END"
    service.change(when)
    yield
    service.change("DROP TRIGGER just_then")


@pytest.fixture
def nowhere_to_keep(service):
    service.change("ALTER TABLE responses RENAME TO elsewhere")
    yield
    service.change("ALTER TABLE elsewhere RENAME TO responses")


@pytest.mark.parametrize(
    ("trouble", "status", "message"),
    [("deleted_just_then", 409, "was deleted"), ("nowhere_to_keep", 503, "could not be kept")],
)
def test_an_answer_that_cannot_be_kept_is_a_turn_that_failed(client, model, request, trouble, status, message):
    request.getfixturevalue(trouble)
    model.will("One.", "Two.")
    with client.responses.stream(model="helpdesk", input="?") as stream:
        *_, last = stream
    assert last.type == "response.failed"
    assert message in last.response.error.message
    with pytest.raises(openai.APIStatusError, match=message) as failed:
        ask(client, "?")
    assert failed.value.status_code == status
    assert failed.value.response.headers["x-should-retry"] == "false"


async def test_a_client_that_leaves_ends_its_turn_and_others_can_go_on(service, model):
    model.will("One.", Reply(calls=[("hang", {"text": "response"})]), "Two.")
    async with openai.AsyncOpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        first = await ask(client, "1?")
        hanging = asyncio.create_task(ask(client, "2?", previous_response_id=first.id))
        await asyncio.to_thread(wait_until, (service.folder / "response.pid").exists)
        other = await ask(client, "other 2?", previous_response_id=first.id)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    assert other.output_text == "Two."
    status = (
        "SELECT runs.status FROM runs JOIN responses USING (thread_id) WHERE responses.id = '{}' ORDER BY runs.created"
    )
    await asyncio.to_thread(
        wait_until, lambda: service.rows(status.format(first.id)) == [("finished",), ("cancelled",)]
    )
