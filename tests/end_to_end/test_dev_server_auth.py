"""Two people with keys at one LangGraph server, one of whom wants what is the other's; and a server without keys."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import signal
import uuid
from dataclasses import replace

import httpx2
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.errors import ConflictError, NotFoundError
from sqlalchemy import insert

from agent.settings import Settings
from service.records.database import open_database
from service.records.keys import Keys, NewKey
from service.records.tables import threads
from tests.end_to_end.conversation import ask, turn
from tests.support.dev_server import DevServer, running
from tests.support.model_server import ModelServer, Reply, serve
from tests.support.processes import wait_until

SECRET = "the-moon-is-hollow"
TOO_SMALL = "The budget of your key for today is too small for a model call"
SERVICE_THREAD = str(uuid.UUID(int=77))


class AuthServer(DevServer):
    """A server whose runs can tell whom they act for, with a document of ann's. It looks for crons every second."""

    def _environment(self):
        sources = [{"at": str(self.folder / "docs"), "owner": "ann"}]
        return {
            **super()._environment(),
            "SELFHELP_TOOLS": json.dumps(["tests.end_to_end.tools_that_tell:whose"]),
            "SELFHELP_KNOWLEDGE__SOURCES": json.dumps(sources),
            "CRON_SCHEDULER_SLEEP_TIME": "1",
        }


@pytest.fixture(scope="module")
def scripted():
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture
def script(scripted):
    yield scripted
    try:
        scripted.verify()
    finally:
        scripted.script.clear()
        scripted.errors.clear()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder of data in which ann and bob have keys, and ann a thread of the service's."""
    folder = tmp_path_factory.mktemp("auth")
    return folder, asyncio.run(prepare(folder))


async def prepare(folder):
    async with open_database(Settings(data_dir=folder / "data")) as database:
        wanted = [NewKey("ann"), NewKey("bob@example.com"), NewKey("root", admin=True)]
        made = {each.owner: (await Keys(database).create(replace(each, per_minute=100_000)))[1] for each in wanted}
        async with database.begin() as connection:
            row = {"id": SERVICE_THREAD, "owner": "ann", "title": SECRET, "origin": "api", "details": {}}
            await connection.execute(insert(threads).values(**row, created=1.0, updated=1.0))
    return made


@pytest.fixture(scope="module")
def guarded(keys, scripted):
    with running(AuthServer(keys[0], scripted.url, {"dismissals.md": f"# Dismissals\n\n{SECRET}.\n"})) as server:
        yield server
        assert [line for line in server.complaints() if "lock" in line] == []


@pytest.fixture
async def ann(keys, guarded):
    async with get_client(url=guarded.url, api_key=keys[1]["ann"]) as client:
        yield client


@pytest.fixture
async def bob(keys, guarded):
    async with get_client(url=guarded.url, api_key=keys[1]["bob@example.com"]) as client:
        yield client


@pytest.fixture
async def root(keys, guarded):
    async with get_client(url=guarded.url, api_key=keys[1]["root"]) as client:
        yield client


@pytest.fixture
async def anns(ann, script):
    """What ann has: a thread with a run, an assistant and an item in the store."""
    thread = (await ann.threads.create(metadata={"about": SECRET}))["thread_id"]
    script.will(f"I know: {SECRET}")
    await turn(ann, thread, SECRET)
    (run,) = await ann.runs.list(thread)
    assistant = await ann.assistants.create("assistant", name=SECRET, context={"persona": "tutor"})
    await ann.store.put_item(["notes"], "one", {"text": SECRET})
    return {"thread_id": thread, "run_id": run["run_id"], "assistant_id": assistant["assistant_id"]}


@pytest.mark.parametrize("headers", [{}, {"x-auth-scheme": "langsmith"}, {"Authorization": "Bearer shk_a_b"}])
def test_without_a_key_nothing_is_told(guarded, headers):
    paths = ["/threads/search", "/runs", "/assistants/search", "/store/items/search", "/internal/truncate", "/deploy"]
    answers = [httpx2.post(f"{guarded.url}{path}", json={}, headers=headers) for path in paths]
    some = uuid.uuid4()
    paths = ["/deploy", f"/internal/debug/thread/{some}", "/metrics", "/info", f"/threads/{some}", "/mcp", "/v1/models"]
    answers += [httpx2.get(f"{guarded.url}{path}", headers=headers) for path in paths]
    assert [answer.status_code for answer in answers] == [401] * 13


async def test_lists_hold_one_s_own_only(ann, bob, anns):
    assert anns["thread_id"] in [thread["thread_id"] for thread in await ann.threads.search()]
    for query in ({}, {"metadata": {"owner": "ann"}}, {"metadata": {"about": SECRET}}, {"ids": [anns["thread_id"]]}):
        found = await bob.threads.search(**query)
        assert {thread["metadata"]["owner"] for thread in found} <= {"bob@example.com"}
    assert await bob.threads.count(metadata={"about": SECRET}) == 0
    assert await bob.assistants.search(name=SECRET) == []
    assert {each["metadata"]["created_by"] for each in await bob.assistants.search()} == {"system"}
    assert (await bob.store.search_items([]))["items"] == []
    assert (await bob.store.search_items(["ann"]))["items"] == []
    assert await bob.store.get_item(["ann", "notes"], "one") is None
    assert {first for first, *_ in (await bob.store.list_namespaces())["namespaces"]} <= {"bob%40example%2Ecom"}
    (item,) = (await ann.store.search_items(["notes"]))["items"]
    assert item["value"] == {"text": SECRET}


def walk(paths, ids):
    """Yield every method and path of the server's own that takes an id, filled in with somebody's. A2A has its test."""
    for path, methods in paths.items():
        names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
        if not set(names) & ids.keys() or path.startswith(("/api", "/v1", "/a2a")):
            continue
        filled = path.format(**{name: ids.get(name, "1") for name in names})
        yield from ((method, path, filled) for method in methods if method in {"get", "post", "put", "patch", "delete"})


async def test_no_path_of_the_server_gives_out_another_s_things(keys, guarded, ann, bob, anns):
    document = httpx2.get(f"{guarded.url}/openapi.json").json()
    headers = {"Authorization": f"Bearer {keys[1]['bob@example.com']}"}
    state = await ann.threads.get_state(anns["thread_id"])
    bodies = [
        {"assistant_id": "assistant", "input": ask("hi"), "if_not_exists": "create"},
        {"assistant_id": anns["assistant_id"], "metadata": {"owner": "bob@example.com"}, "version": 1, "values": {}},
        {"checkpoint": {"thread_id": anns["thread_id"]}, "values": None, "limit": 1},
    ]
    needed = {"schedule": "0 0 1 1 *", "assistant_id": "assistant"}
    tried = 0
    async with httpx2.AsyncClient(base_url=guarded.url, headers=headers, timeout=100) as http:
        for (method, path, filled), body in itertools.product(walk(document["paths"], anns), bodies):
            answer = await http.request(method, filled, json=None if method == "get" else needed | body)
            assert SECRET not in answer.text, (method, path)
            # Streams have begun when they look for the thread.
            refused = answer.status_code >= 400 or answer.text.startswith("event: error")
            assert refused, (method, path, body, answer.text)
            tried += 1
        own = (await bob.threads.create())["thread_id"]
        borrowed = {
            "checkpoint": {"thread_id": anns["thread_id"]},
            "checkpoint_id": state["checkpoint"]["checkpoint_id"],
        }
        for tail in ("state/checkpoint", "history"):
            answer = await http.post(f"/threads/{own}/{tail}", json={**borrowed, "before": borrowed["checkpoint"]})
            assert SECRET not in answer.text
    assert tried > 60
    assert await ann.threads.get_state(anns["thread_id"]) == state
    assert (await ann.assistants.get(anns["assistant_id"]))["name"] == SECRET


async def test_nobody_gives_or_takes_a_thread(ann, bob, anns):
    await ann.threads.update(anns["thread_id"], metadata={"owner": "bob@example.com"})
    assert await bob.threads.search(ids=[anns["thread_id"]]) == []
    forged = await bob.assistants.create("assistant", name="forged", metadata={"owner": "ann", "created_by": "system"})
    with pytest.raises(NotFoundError):
        await ann.assistants.get(forged["assistant_id"])
    for options in ({"if_exists": "do_nothing"}, {}):
        with pytest.raises(ConflictError):
            await bob.threads.create(thread_id=anns["thread_id"], **options)


async def test_a_thread_of_the_service_cannot_be_claimed(ann, bob):
    with pytest.raises(ConflictError):
        await bob.threads.create(thread_id=SERVICE_THREAD)
    with pytest.raises(ConflictError):
        await bob.runs.create(SERVICE_THREAD, "assistant", input=ask("hi"), if_not_exists="create")
    assert (await ann.threads.create(thread_id=SERVICE_THREAD))["metadata"]["owner"] == "ann"


async def test_a_run_acts_for_who_started_it_whatever_they_say(bob, script):
    pretending = await bob.assistants.create("assistant", context={"owner": "ann"})
    ways = [
        ("assistant", {}),
        ("assistant", {"context": {"owner": "ann"}}),
        ("assistant", {"config": {"configurable": {"owner": "ann", "langgraph_auth_user_id": "ann"}}}),
        ("assistant", {"metadata": {"owner": "ann"}, "context": {"owner": None}}),
        (pretending["assistant_id"], {}),
    ]
    for graph, options in ways:
        thread = (await bob.threads.create())["thread_id"]
        script.will(Reply(calls=[("whose", {})]), "Well.")
        state = await bob.runs.wait(thread, graph, input=ask("whose?"), **options)
        (told,) = [message["content"] for message in state["messages"] if message["type"] == "tool"]
        assert told == "owner bob@example.com", (graph, options)


async def test_only_an_admin_indexes_the_sources_of_everybody(bob, root):
    made = await bob.assistants.create("indexer")
    for graph in ("indexer", made["assistant_id"]):
        told = await bob.runs.wait(None, graph, input={"prune": True}, raise_error=False)
        assert "only an admin may index" in told["__error__"]["message"]
        assert "dismissals" not in str(told)
    state = await root.runs.wait(None, "indexer", input={})
    assert [report["added"] for report in state["reports"]] == [["dismissals.md"]]


async def test_the_runs_of_a_cron_keep_to_the_budget_of_its_key_and_end_with_it(keys, guarded, script):
    every_second = {"schedule": "* * * * * *", "input": ask("hi"), "on_run_completed": "keep"}
    forged = {"context": {"owner": "ann", "key_budget": None}}
    async with open_database(Settings(data_dir=keys[0] / "data")) as database:
        key, text = await Keys(database).create(NewKey("carl", daily_tokens=1, per_minute=100_000))
        _, other = await Keys(database).create(NewKey("carl", per_minute=100_000))
        with get_sync_client(url=guarded.url, api_key=text) as carl:
            for name, options in {"honest": {}, "forged": forged}.items():
                carl.crons.create("assistant", **every_second, **options, metadata={"cron": name})
                await asyncio.to_thread(wait_until, lambda name=name: answers_of(carl, name))
                assert {answer.split(":")[0] for answer in answers_of(carl, name)} == {TOO_SMALL}
        await Keys(database).revoke(key.id)
    await asyncio.to_thread(wait_until, lambda: "whoever made this cron is not let in any more" in guarded.log)
    with get_sync_client(url=guarded.url, api_key=other) as carl:
        for cron in carl.crons.search():
            carl.crons.delete(cron["cron_id"])


async def test_a_cron_made_without_a_key_ends_with_the_first_key(tmp_path, script, monkeypatch):
    every_second = {"schedule": "* * * * * *", "input": ask("hi"), "on_run_completed": "keep"}
    monkeypatch.setattr(script, "repeat", lambda _: Reply("Hello."))
    with running(AuthServer(tmp_path, script.url, {"a.md": "# A\n\nA.\n"})) as server:
        with get_sync_client(url=server.url) as local:
            local.crons.create("assistant", **every_second, metadata={"cron": "local"})
            await asyncio.to_thread(wait_until, lambda: answers_of(local, "local"))
        async with open_database(Settings(data_dir=tmp_path / "data")) as database:
            await Keys(database).create(NewKey("ann"))
        await asyncio.to_thread(wait_until, lambda: "whoever made this cron is not let in any more" in server.log)


def answers_of(client, cron):
    """Return what the runs of a cron have answered so far."""
    found = client.threads.search(metadata={"cron": cron}, status="idle")
    return [thread["values"]["messages"][-1]["content"] for thread in found if thread["values"]]


async def test_a_protocol_of_agents_keeps_to_its_caller(keys, guarded, bob, anns, script):
    """A2A starts its runs through a client inside the server."""
    system = (await bob.assistants.search(graph_id="assistant", metadata={"created_by": "system"}))[0]["assistant_id"]
    message = {"role": "user", "messageId": "1", "parts": [{"kind": "text", "text": "whose?"}]}
    call = {"jsonrpc": "2.0", "id": "1", "method": "message/send"}
    headers = {"Authorization": f"Bearer {keys[1]['bob@example.com']}", "Accept": "application/json"}
    async with httpx2.AsyncClient(base_url=guarded.url, headers=headers, timeout=100) as http:
        others = {**call, "params": {"message": {**message, "contextId": anns["thread_id"]}}}
        answer = await http.post(f"/a2a/{system}", json=others)
        assert SECRET not in answer.text
        assert "error" in answer.json()
        script.will(Reply(calls=[("whose", {})]), "Well.")
        answer = await http.post(f"/a2a/{system}", json={**call, "params": {"message": message}})
        thread = answer.json()["result"]["contextId"]
    state = await bob.threads.get_state(thread)
    assert "owner bob@example.com" in [message["content"] for message in state["values"]["messages"]]


async def test_a_thread_that_the_server_forgot_is_still_its_owner_s(keys, guarded, anns, script):
    guarded.end(signal.SIGKILL)
    shutil.rmtree(guarded.own_records, ignore_errors=True)
    guarded.start()
    async with (
        get_client(url=guarded.url, api_key=keys[1]["ann"]) as ann,
        get_client(url=guarded.url, api_key=keys[1]["bob@example.com"]) as bob,
    ):
        with pytest.raises(ConflictError):
            await bob.threads.create(thread_id=anns["thread_id"])
        await ann.threads.create(thread_id=anns["thread_id"])
        script.will("Still here.")
        assert SECRET in str(await turn(ann, anns["thread_id"], "Are you?"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "rebound.example"},
        {"X-Forwarded-For": "203.0.113.7"},
    ],
)
def test_without_keys_pages_of_others_reach_nothing(shared_server, headers):
    for method, path in (("POST", "/threads"), ("POST", "/internal/truncate"), ("GET", "/info"), ("POST", "/deploy")):
        answer = httpx2.request(method, f"{shared_server.url}{path}", json={}, headers=headers)
        assert answer.status_code in {401, 403}
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://smith.langchain.com", "http://localhost:3000"])
def test_without_keys_studio_and_chat_pages_of_this_machine_work(shared_server, origin):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = httpx2.options(f"{shared_server.url}/threads", headers={"Origin": origin, **asked})
    answer = httpx2.post(f"{shared_server.url}/threads", json={}, headers={"Origin": origin})
    for each in (preflight, answer):
        assert each.status_code == 200
        assert each.headers["access-control-allow-origin"] == origin
