"""More than one machine: instances of Aegra share threads and runs, and one takes over what another leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import AuthenticationError, NotFoundError, PermissionDeniedError

from tests.end_to_end.conversation import ask, let_go, plan_that_hangs, runs_of, texts, turn, until_it_hangs
from tests.support import aegra, postgres
from tests.support.aegra import Aegra
from tests.support.processes import wait_until

# It is installed first, and a run's worker is given up after some seconds.
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(aegra.missing()), reason=str(aegra.missing())),
    pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed"),
]


@pytest.fixture(scope="module")
def cluster(shared_model, tmp_path_factory) -> Iterator[list[Aegra]]:
    folder = tmp_path_factory.mktemp("aegra")
    python = aegra.install(folder / "python")
    with postgres.serve() as database, aegra.redis() as redis:
        both = [Aegra(python, folder, database, redis, shared_model.url) for _ in range(2)]
        try:
            yield both
        finally:
            for instance in both:
                instance.kill()


@pytest.fixture
def instances(cluster, model) -> list[Aegra]:
    for instance in cluster:
        instance.start()
    return cluster


@pytest.fixture(scope="module")
def keys(cluster) -> dict[str, str]:
    return {"ann": cluster[0].key("ann"), "bob": cluster[0].key("bob"), "root": cluster[0].key("root", "--admin")}


@pytest.fixture
async def clients(instances, keys) -> AsyncIterator[list[LangGraphClient]]:
    headers = {"Authorization": f"Bearer {keys['ann']}"}
    async with (
        get_client(url=instances[0].url, headers=headers) as one,
        get_client(url=instances[1].url, headers=headers) as other,
    ):
        yield [one, other]


async def test_a_run_whose_machine_is_killed_is_finished_by_another_and_nothing_runs_twice(
    instances, clients, model, name
):
    model.will("Hello!", plan_that_hangs(name), "All done.", "Anything else?")
    thread = (await clients[0].threads.create())["thread_id"]
    await turn(clients[0], thread, "hi")
    run = await clients[0].runs.create(thread, "assistant", input=ask("go"))
    await until_it_hangs(instances[0], name)
    worker = int((instances[0].folder / f"{name}++.pid").read_text())
    dying, living = (0, 1) if instances[0].process.pid == worker else (1, 0)
    instances[dying].kill()
    let_go(instances[living], name)
    state = await clients[living].runs.join(thread, run["run_id"])
    assert texts(state) == ["hi", "Hello!", "go", "", f"{name}+", f"{name}++", f"{name}+++", "All done."]
    assert runs_of(instances[living], name) == {f"note {name}": 1, f"note {name}+": 1, f"hang {name}++": 2}
    assert texts(await turn(clients[living], thread, "thanks"))[-1] == "Anything else?"


async def test_a_run_is_watched_and_cancelled_through_another_instance_than_the_one_it_was_started_on(
    instances, clients, model, name
):
    model.will(plan_that_hangs(name), "You are welcome.")
    thread = (await clients[0].threads.create())["thread_id"]
    run = await clients[0].runs.create(thread, "assistant", input=ask("go"), stream_mode=["values", "custom"])
    await until_it_hangs(instances[0], name)
    steps = []
    async for part in clients[1].runs.join_stream(thread, run["run_id"]):
        if part.event == "custom":
            steps.append(part.data["status"])
        if len(steps) == 3:
            break
    await clients[1].runs.cancel(thread, run["run_id"], wait=True)
    let_go(instances[0], name)
    assert texts(await turn(clients[0], thread, "thanks"))[-1] == "You are welcome."
    await asyncio.to_thread(wait_until, lambda: runs_of(instances[0], name)[f"hang {name}++"] == 1)


async def test_nobody_gets_in_without_a_key_or_to_anothers_thread(instances, clients, keys):
    thread = (await clients[0].threads.create())["thread_id"]
    async with get_client(url=instances[1].url) as nobody:
        with pytest.raises(AuthenticationError):
            await nobody.threads.search()
    async with get_client(url=instances[1].url, headers={"Authorization": f"Bearer {keys['bob']}"}) as bob:
        assert await bob.threads.search() == []
        with pytest.raises(NotFoundError):
            await bob.threads.get_state(thread)
        with pytest.raises(NotFoundError):
            await bob.runs.create(thread, "assistant", input=ask("hi"))


async def test_only_an_admin_indexes_the_sources_of_everybody(instances, keys):
    told = {}
    for owner in ("bob", "root"):
        async with get_client(url=instances[0].url, headers={"Authorization": f"Bearer {keys[owner]}"}) as client:
            thread = (await client.threads.create())["thread_id"]
            run = await client.runs.create(thread, "indexer", input={})
            await client.runs.join(thread, run["run_id"])
            told[owner] = str(await client.runs.get(thread, run["run_id"]))
    assert "only an admin may index" in told["bob"]
    assert "no source is set" in told["root"]


async def test_crons_are_refused_since_aegra_asks_nobody_as_their_runs_start(clients):
    with pytest.raises(PermissionDeniedError):
        await clients[0].crons.create("assistant", schedule="0 0 * * *", input=ask("hi"), context={"owner": "bob"})


@pytest.mark.usefixtures("keys")  # where there are none, everybody on this machine gets in
async def test_the_service_is_there_beside_the_langgraph_api(instances):
    async with httpx.AsyncClient(base_url=instances[0].url, trust_env=False) as client:
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/api/me")).status_code == 401
