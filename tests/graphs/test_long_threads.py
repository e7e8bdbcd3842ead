"""The history of a thread is found without reading its checkpoints, and is the one that LangGraph finds."""

import pytest

from agent.checkpoints import open_checkpointer
from agent.settings import Settings
from tests.support.forked_thread import THREAD, histories, talked


@pytest.fixture
async def saver(tmp_path):
    async with open_checkpointer(Settings(data_dir=tmp_path)) as saver:
        yield saver


async def test_every_checkpoint_has_the_history_that_langgraph_finds(saver):
    await talked(saver)

    found = await histories(saver)

    assert all(ours == langgraphs for ours, langgraphs in found)
    snapshots = sum("seed" in ours["messages"] for ours, _ in found)
    assert 5 < snapshots < len(found) - 5, "some histories begin with a snapshot, and some do not"


async def test_a_checkpoint_that_is_its_own_ancestor_ends_the_history(saver):
    await talked(saver)
    found = [found async for found in saver.alist(THREAD)]
    await saver.aput(found[0].config, found[-1].checkpoint, found[-1].metadata, {})

    assert all(ours == langgraphs for ours, langgraphs in await histories(saver))
