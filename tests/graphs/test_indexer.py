"""The indexer graph: the sources of the settings, one after the other."""

from __future__ import annotations

import pytest
from blockbuster import blockbuster_ctx
from langgraph.checkpoint.memory import InMemorySaver

from agent.errors import SettingsError
from agent.knowledge.library import open_knowledge
from agent.settings import Knowledge, SourceSettings
from graphs.indexer import build
from tests.support.documents import names, write


@pytest.fixture
def deployment(settings, tmp_path):
    write(tmp_path / "docs", {f"{n}.md": f"# Page {n}\n\nBikes, page {n}." for n in range(3)})
    write(tmp_path / "staff", {"holidays.md": "# Holidays\n\nThirty days."})
    sources = [SourceSettings(at="docs"), SourceSettings(at="gone"), SourceSettings(at="staff", owner="ann")]
    return settings.model_copy(update={"knowledge": Knowledge(sources=sources, embedder="none")})


async def test_every_source_is_read_and_progress_is_told(deployment):
    graph, progress, state = build(settings=deployment), [], {}
    with blockbuster_ctx("agent"):
        async for mode, data in graph.astream({}, stream_mode=["custom", "values"]):
            if mode == "custom":
                progress.append(data)
            else:
                state = data
    assert [(report["source"], report["added"]) for report in state["reports"]] == [
        ("docs", ["0.md", "1.md", "2.md"]),
        ("gone", []),
        ("staff", ["holidays.md"]),
    ]
    assert "gone" in state["reports"][1]["failed"][0][1]
    assert {"type": "progress", "source": "docs", "done": 3, "found": 3} in progress
    base = await open_knowledge(deployment)
    assert sorted(names(await base.search("bikes holidays"))) == ["0.md", "1.md", "2.md"]


async def test_only_what_is_chosen_is_read(deployment):
    state = await build(settings=deployment).ainvoke({"sources": ["staff"]})
    assert [report["source"] for report in state["reports"]] == ["staff"]


async def test_callers_cannot_name_sources_of_their_own(deployment, tmp_path):
    secrets = write(tmp_path / "secrets", {"key.md": "# Key"})
    with pytest.raises(SettingsError, match=r"no source .*secrets.* is set"):
        await build(settings=deployment).ainvoke({"sources": [str(secrets)]})


async def test_a_second_run_of_a_thread_reports_itself_alone(deployment):
    graph = build(settings=deployment, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"sources": ["docs"]}, config)
    state = await graph.ainvoke({"sources": ["docs"]}, config)
    assert [report["unchanged"] for report in state["reports"]] == [["0.md", "1.md", "2.md"]]


def test_runs_for_synchronous_callers(deployment):
    assert len(build(settings=deployment).invoke({})["reports"]) == 3
