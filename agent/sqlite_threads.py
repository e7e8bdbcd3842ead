"""LangGraph's SQLite checkpointer, with what the LangGraph server needs of one, and quick with long threads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    DeltaChannelHistory,
    get_checkpoint_id,
    writes_sort_key,
)
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.task_writes import settled

_RUN = "json_extract(CAST(metadata AS TEXT), '$.run_id')"
_OF_RUN = f"SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE {_RUN} = :run"
_BUILT_ON = (
    f"SELECT 1 FROM checkpoints WHERE {_RUN} IS NOT :run "
    f"AND (thread_id, checkpoint_ns, parent_checkpoint_id) IN ({_OF_RUN}) LIMIT 1"
)
_DELETE_WRITES = f"DELETE FROM writes WHERE (thread_id, checkpoint_ns, checkpoint_id) IN ({_OF_RUN})"
_DELETE_CHECKPOINTS = f"DELETE FROM checkpoints WHERE {_RUN} = :run"

# A checkpoint's metadata counts the steps since the channel's last snapshot, and counts none where it holds one itself.
# Only such a checkpoint is read. CROSS JOIN has SQLite look each parent up by its key.
_LINE = """
    WITH RECURSIVE line(id, parent, type, held) AS (
        SELECT checkpoint_id, parent_checkpoint_id, NULL, NULL FROM checkpoints
        WHERE thread_id = :thread AND checkpoint_ns = :space AND checkpoint_id = :target
        UNION ALL
        SELECT
            checkpoint_id, parent_checkpoint_id, checkpoints.type,
            CASE WHEN json_extract(CAST(metadata AS TEXT), :counted) IS NULL THEN checkpoint END
        FROM line CROSS JOIN checkpoints ON checkpoint_id = parent
        WHERE thread_id = :thread AND checkpoint_ns = :space
    )
    SELECT id, type, held FROM line
"""
_WRITES = """
    SELECT checkpoint_id, task_path, task_id, idx, type, value FROM writes
    WHERE thread_id = :thread AND checkpoint_ns = :space AND channel = :channel
    AND checkpoint_id IN (SELECT value FROM json_each(:line))
"""


class ThreadSaver(AsyncSqliteSaver):
    """The checkpointer."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint.

        Args:
            config: names its parent.
            checkpoint: the checkpoint.
            metadata: what is known of it.
            new_versions: versions of the channels that it changed.
        """
        async with self._whole():
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written, but not half of an update.

        Args:
            config: names the checkpoint.
            writes: channels and values.
            task_id: the task.
            task_path: where it is in the graph.
        """
        async with self._whole():
            await super().aput_writes(config, settled(writes), task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread.

        Args:
            thread_id: the thread.
        """
        async with self._whole():
            await super().adelete_thread(thread_id)

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """Take back what has been written where the rest fails. Else its transaction would keep all others out."""
        try:
            yield
        except BaseException:
            async with self.lock:
                await self.conn.rollback()
            raise

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs, which is how the LangGraph server rolls a run back.

        A run that later state was built on is kept: messages are stored as deltas, and that state is made of its own.

        Args:
            run_ids: ids of the runs.
        """
        async with self.lock, self.conn.cursor() as cursor:
            for run_id in run_ids:
                run = {"run": run_id}
                await cursor.execute(_BUILT_ON, run)
                if await cursor.fetchone():
                    continue
                await cursor.execute(_DELETE_WRITES, run)
                await cursor.execute(_DELETE_CHECKPOINTS, run)
            await self.conn.commit()

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what each channel was written on the way to a checkpoint, since its last snapshot.

        LangGraph's own reads every checkpoint on the way for it, which is most of loading a long thread.

        Args:
            config: names the checkpoint.
            channels: the channels, which are kept as deltas.
        """
        if get_checkpoint_id(config) is None:
            return await super().aget_delta_channel_history(config=config, channels=channels)
        await self.setup()
        return {channel: await self._history(config, channel) for channel in channels}

    async def _history(self, config: RunnableConfig, channel: str) -> DeltaChannelHistory:
        place = config["configurable"]
        wanted = {
            "thread": str(place["thread_id"]),
            "space": place.get("checkpoint_ns", ""),
            "target": get_checkpoint_id(config),
            "counted": f'$.counters_since_delta_snapshot."{channel}"',
            "channel": channel,
        }
        depths: dict[str, int] = {}
        history = DeltaChannelHistory(writes=[])
        async with self.lock, self.conn.cursor() as cursor:
            await cursor.execute(_LINE, wanted)
            async for checkpoint, kind, held in cursor:
                if checkpoint in depths:  # one that was put once more, behind its own descendant
                    break
                depths[checkpoint] = len(depths)
                values = self.serde.loads_typed((kind, held))["channel_values"] if held else {}
                if channel in values:
                    history["seed"] = values[channel]
                    break
            # What was written at the checkpoint itself waits for its next step.
            depths.pop(str(wanted["target"]), None)
            await cursor.execute(_WRITES, wanted | {"line": json.dumps(list(depths))})
            written = list(await cursor.fetchall())
        written.sort(key=lambda row: (-depths[row[0]], writes_sort_key(row[1], row[2], row[3])))
        history["writes"] = [(row[2], channel, self.serde.loads_typed((row[4], row[5]))) for row in written]
        return history
