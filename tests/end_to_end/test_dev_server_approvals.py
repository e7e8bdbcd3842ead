"""Consent over the LangGraph server: asked as LangChain's human-in-the-loop does, and answered a restart later too."""

from __future__ import annotations

import signal

import pytest
from langgraph_sdk import get_client

from tests.end_to_end.conversation import runs_of, texts, turn
from tests.support.dev_server import DevServer, running
from tests.support.model_server import Reply

ASKS = {"approvals": {"note": "always"}}


def plan(name):
    return Reply(calls=[("calculator", {"expression": "6*7"}), ("note", {"text": f"{name} ${{1}}"})])


async def asked(client, thread):
    """Return what the thread's state says that a person is asked about."""
    state = await client.threads.get_state(thread)
    assert state["next"] == ["executor"]
    [interrupt] = state["interrupts"]
    return interrupt["value"]


async def resumed(client, thread, *decisions, **options):
    command = {"resume": {"decisions": list(decisions)}}
    return await client.runs.wait(thread, "assistant", command=command, context=ASKS, **options)


async def test_a_write_waits_in_the_threads_state_and_runs_when_approved(client, thread, model, server, name):
    model.will(plan(name), "Noted.")
    await turn(client, thread, "go", context=ASKS)
    text = f"{name} 42"
    assert await asked(client, thread) == {
        "action_requests": [{"name": "note", "args": {"text": text}, "description": f'note({{"text": "{text}"}})'}],
        "review_configs": [{"action_name": "note", "allowed_decisions": ["approve", "edit", "reject"]}],
    }
    assert (await client.threads.get(thread))["status"] == "interrupted"
    assert not runs_of(server, name)
    # As agent-chat-ui does it.
    state = await resumed(client, thread, {"type": "approve"}, input={})
    assert texts(state)[-2:] == [f"{text}+", "Noted."]
    assert runs_of(server, name) == {f"note {text}": 1}
    assert (await client.threads.get_state(thread))["interrupts"] == []


async def test_an_edited_write_runs_as_edited_and_a_rejected_one_not_at_all(client, thread, model, server, name):
    model.will(plan(name), "Noted.", plan(name), "Not noted.")
    await turn(client, thread, "go", context=ASKS)
    text = f"{name} edited"
    edited = {"type": "edit", "edited_action": {"name": "note", "args": {"text": text}}}
    assert texts(await resumed(client, thread, edited))[-1] == "Noted."
    await turn(client, thread, "again", context=ASKS)
    state = await resumed(client, thread, {"type": "reject", "message": "enough"})
    assert [step["status"] for step in state["plan"]] == ["finished", "rejected"]
    assert "a person rejected this: enough" in texts(state)[-2]
    assert runs_of(server, name) == {f"note {text}": 1}


@pytest.mark.parametrize("decisions", [[], [{"type": "approve"}] * 2])
async def test_an_answer_of_the_wrong_length_is_refused_and_can_be_given_again(shared_server, model, name, decisions):
    # The server logs the refusal as an error, so its complaints are not looked at.
    async with get_client(url=shared_server.url) as client:
        thread = (await client.threads.create())["thread_id"]
        model.will(plan(name), "Noted.")
        await turn(client, thread, "go", context=ASKS)
        refused = await resumed(client, thread, *decisions, raise_error=False)
        assert "decisions" in refused["__error__"]["message"]
        assert not runs_of(shared_server, name)
        assert len((await asked(client, thread))["action_requests"]) == 1
        assert texts(await resumed(client, thread, {"type": "approve"}))[-1] == "Noted."
    assert runs_of(shared_server, name) == {f"note {name} 42": 1}


@pytest.mark.timeout(600)
async def test_an_hour_and_a_restart_later_the_approval_still_works(model_server, tmp_path, name):
    model_server.will(plan(name), "Noted.")
    with running(DevServer(tmp_path, model_server.url)) as server:
        async with get_client(url=server.url) as client:
            thread = (await client.threads.create())["thread_id"]
            await turn(client, thread, "go", context=ASKS)
        server.end(signal.SIGKILL)
        server.start()
        async with get_client(url=server.url) as client:
            await client.threads.create(thread_id=thread, graph_id="assistant", if_exists="do_nothing")
            [action] = (await asked(client, thread))["action_requests"]
            assert action["args"] == {"text": f"{name} 42"}
            assert not runs_of(server, name)
            assert texts(await resumed(client, thread, {"type": "approve"}))[-1] == "Noted."
        assert runs_of(server, name) == {f"note {name} 42": 1}
        assert server.complaints() == []
