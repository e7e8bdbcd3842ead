"""What has had its time is deleted by the service itself."""

from __future__ import annotations

import time

import httpx2
import pytest
from sqlalchemy import update

from agent.serving import RetentionSettings
from service.http.app import create_app
from service.records.tables import documents, threads
from service.retention import DAY, Retention
from service.threads.archive import Archive


@pytest.fixture
async def app(settings):
    app = create_app(settings.model_copy(update={"retention": RetentionSettings(threads_days=30, documents_days=60)}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app):
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


async def age(services, table, row, **values):
    async with services.database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == row).values(**values))


async def test_threads_and_documents_have_their_time(app, client, settings):
    services = app.state.services
    retention = Retention(
        RetentionSettings(threads_days=30, documents_days=60),
        Archive(services.database, services.checkpointer, services.deletion),
        services.documents,
    )
    kept, old = [(await client.post("/api/threads", json={})).json()["id"] for _ in range(2)]
    uploads = [("files", (name, b"# Otters\n\nThey hold hands.\n")) for name in ("kept.md", "old.md")]
    made = {each["name"]: each["id"] for each in (await client.post("/api/documents", files=uploads)).json()["items"]}
    await services.documents.settled()
    now = time.time()
    await age(services, threads, kept, updated=now - 29 * DAY)
    await age(services, threads, old, updated=now - 31 * DAY)
    await age(services, documents, made["kept.md"], created=now - 59 * DAY)
    await age(services, documents, made["old.md"], created=now - 61 * DAY)
    await retention.apply()
    assert [each["id"] for each in (await client.get("/api/threads")).json()["items"]] == [kept]
    listed = (await client.get("/api/documents")).json()["items"]
    assert [(each["name"], each["passages"]) for each in listed] == [("kept.md", 1)]
    assert [path.name for path in (settings.data_dir / "uploads").rglob("*.md")] == ["kept.md"]
    sources = await (await services.knowledge()).sources()
    assert len(sources) == 1


async def test_without_a_policy_everything_is_kept(settings):
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        services = app.state.services
        archive = Archive(services.database, services.checkpointer, services.deletion)
        retention = Retention(RetentionSettings(), archive, services.documents)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000"
        ) as client:
            thread = (await client.post("/api/threads", json={})).json()["id"]
            await age(services, threads, thread, updated=1.0)
            await retention.apply()
            assert (await client.get(f"/api/threads/{thread}")).status_code == 200
