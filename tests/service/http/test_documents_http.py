"""People's own documents: only their own answers draw on them."""

from __future__ import annotations

import signal
import time

import httpx2
import pytest

from agent.knowledge.ingest import SENT_AT_ONCE
from agent.knowledge.store import Store
from service.http.app import create_app
from tests.support import embedding_server
from tests.support.model_server import Reply
from tests.support.processes import wait_until
from tests.support.service_process import running
from tests.support.talk import Talk


@pytest.fixture
def upload(client):
    sent = []

    def send(*files, **form):
        answer = client.post("/api/documents", files=[("files", file) for file in files], data=form)
        if answer.is_success:
            sent.extend(each["id"] for each in answer.json()["items"])
        return answer

    yield send
    for document in sent:
        client.delete(f"/api/documents/{document}")


def until_done(client, document):
    deadline = time.monotonic() + 60
    while (found := client.get(f"/api/documents/{document}").json())["status"] in {"queued", "indexing"}:
        assert time.monotonic() < deadline, found
    return found


def searches(for_what, finds):
    """A plan that searches, and an answer whose prompt must or must not hold what is found."""

    def check(body):
        [result] = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        assert ("Quokkas" in result) == finds

    return [Reply(calls=[("search", {"query": for_what})]), Reply("Done.", check=check)]


def test_an_uploaded_document_is_found_by_its_owner_until_it_is_deleted(client, talk, model, upload):
    [made] = upload(("quokkas.md", b"# Quokkas\n\nQuokkas eat leaves.\n")).json()["items"]
    done = until_done(client, made["id"])
    assert (done["name"], done["kind"], done["status"], done["passages"]) == ("quokkas.md", "markdown", "indexed", 1)
    assert [each["id"] for each in client.get("/api/documents").json()["items"]] == [made["id"]]
    model.will(*searches("what do quokkas eat", finds=True))
    assert talk.ask("What do quokkas eat?")["status"] == "finished"
    assert client.delete(f"/api/documents/{made['id']}").status_code == 204
    assert client.get(f"/api/documents/{made['id']}").status_code == 404
    model.will(*searches("what do quokkas eat", finds=False))
    assert Talk(client).ask("What do quokkas eat?")["status"] == "finished"


def test_what_is_no_document_is_refused_by_name_and_what_came_with_it_too(client, upload):
    answer = upload(("fine.md", b"# Fine"), ("virus.exe", b"MZ"))
    assert answer.status_code == 415
    assert "virus.exe is no document" in answer.json()["error"]["message"]
    assert client.get("/api/documents").json()["items"] == []


def test_a_document_that_cannot_be_read_says_why(client, upload):
    [made] = upload(("broken.pdf", b"not a PDF")).json()["items"]
    done = until_done(client, made["id"])
    assert done["status"] == "failed"
    assert done["error"]


def test_a_document_with_a_long_name_is_taken(client, upload):
    [made] = upload(("お" * 90 + ".md", b"# Long\n\nText.\n")).json()["items"]
    assert made["name"].startswith("お" * 80)
    assert until_done(client, made["id"])["status"] == "indexed"


@pytest.mark.parametrize("name", ["../../evil.md", "C:\\evil.md", "/etc/evil.md", ".evil.md"])
def test_a_name_leads_nowhere_else(client, upload, name, shared_service):
    [made] = upload((name, b"# Evil\n\nText.\n")).json()["items"]
    assert made["name"] == "evil.md"
    assert len(list(shared_service.folder.rglob("uploads/local/*/evil.md"))) == 1


def test_what_was_not_indexed_when_the_process_ended_is_indexed_by_the_next(new_service, model):
    first = new_service(name="first", SELFHELP_KNOWLEDGE__SOURCES="[]")
    with running(first), first.client() as client:
        files = [("files", (f"page{n}.md", f"# Page {n}\n\nText.\n".encode())) for n in range(20)]
        made = client.post("/api/documents", files=files).json()["items"]
        first.end(signal.SIGKILL)
    second = new_service(first.folder, name="second", SELFHELP_KNOWLEDGE__SOURCES="[]")
    with running(second), second.client() as client:
        assert {until_done(client, each["id"])["status"] for each in made} == {"indexed"}


def test_how_far_a_document_is_can_be_asked(new_service, model):
    sections = 2 * SENT_AT_ONCE + 88
    text = "\n\n".join(f"# Section {n}\n\nIt says {n}.\n" for n in range(sections)).encode()
    with embedding_server.serve() as embedding:
        settings = {"SELFHELP_BASE_URL": embedding.url, "SELFHELP_KNOWLEDGE__EMBEDDER": "compatible:test"}
        first = new_service(name="first", SELFHELP_KNOWLEDGE__SOURCES="[]", **settings)
        with running(first), first.client() as here:
            [made] = here.post("/api/documents", files={"files": ("long.md", text)}).json()["items"]
            path = f"/api/documents/{made['id']}"
            wait_until(lambda: here.get(path).json()["progress"] == {"done": 0, "total": sections})
            embedding.answer(1)
            wait_until(lambda: here.get(path).json()["progress"] not in ({"done": 0, "total": sections}, None))
            [listed] = here.get("/api/documents").json()["items"]
            assert listed["status"] == "indexing"
            assert listed["progress"]["total"] == sections
            assert listed["progress"]["done"] in (SENT_AT_ONCE, 88)
            embedding.answer_all()
            done = until_done(here, made["id"])
    assert (made["progress"], done["progress"], done["passages"]) == (None, None, sections)


def test_the_first_document_of_all_makes_the_assistant_search(new_service, model):
    service = new_service(SELFHELP_KNOWLEDGE__SOURCES="[]")
    with running(service), service.client() as client:
        model.will(Reply("Hello.", check=lambda body: tools(body, search=False)))
        Talk(client).ask("hi")
        [made] = client.post("/api/documents", files={"files": ("a.md", b"# A\n\nQuokkas.\n")}).json()["items"]
        until_done(client, made["id"])
        model.will(Reply("Hello.", check=lambda body: tools(body, search=True)))
        Talk(client).ask("hi")


def tools(body, *, search):
    assert ("search" in [tool["function"]["name"] for tool in body["tools"]]) == search


async def test_what_is_asked_again_and_again_counts_nobody_elses_passages(settings, monkeypatch):
    def counted(store):
        raise AssertionError("all passages are counted")

    monkeypatch.setattr(Store, "sources", counted)
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        await client.post("/api/documents", files={"files": ("a.md", b"# A\n\nQuokkas.\n")})
        await app.state.services.documents.settled()
        [listed] = (await client.get("/api/documents")).json()["items"]
        assert (listed["status"], listed["passages"]) == ("indexed", 1)
        assert (await client.get("/readyz")).json()["checks"]["knowledge"] == "ok"
