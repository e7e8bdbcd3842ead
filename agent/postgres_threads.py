"""LangGraph's PostgreSQL checkpointer, quick with long threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import DeltaChannelHistory, get_checkpoint_id, writes_sort_key
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from agent.task_writes import settled

# A checkpoint's metadata counts the steps since the channel's last snapshot, and counts none where it holds one itself.
_LINE = """
    SELECT checkpoint_id, parent_checkpoint_id, metadata -> 'counters_since_delta_snapshot' ? %(channel)s AS counted
    FROM checkpoints
    WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s AND checkpoint_id <= %(target)s
"""
# Between two ids there may be writes of a fork too. To name every checkpoint takes PostgreSQL longer than to find them.
_WRITES = """
    SELECT checkpoint_id, task_path, task_id, idx, type, blob FROM checkpoint_writes
    WHERE thread_id = %(thread)s AND checkpoint_ns = %(space)s AND channel = %(channel)s
    AND checkpoint_id BETWEEN %(first)s AND %(last)s
"""


class PostgresThreadSaver(AsyncPostgresSaver):
    """The checkpointer."""

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
        await super().aput_writes(config, settled(writes), task_id, task_path)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what each channel was written on the way to a checkpoint, since its last snapshot.

        LangGraph's own looks for a snapshot at every checkpoint, which takes as long as reading the messages.

        Args:
            config: names the checkpoint.
            channels: the channels, which are kept as deltas.
        """
        place = config["configurable"]
        wanted = {
            "thread": place["thread_id"],
            "space": place.get("checkpoint_ns", ""),
            "target": get_checkpoint_id(config),
        }
        found = {channel: await self._replayed(wanted | {"channel": channel}) for channel in channels}
        histories = {channel: history for channel, history in found.items() if history is not None}
        rest = [channel for channel in channels if channel not in histories]
        return {**histories, **await super().aget_delta_channel_history(config=config, channels=rest)}

    async def _replayed(self, wanted: Mapping[str, str | None]) -> DeltaChannelHistory | None:
        """Return the history of a channel that no snapshot was taken of, or None where there may be one."""
        async with self._cursor() as cursor:
            await cursor.execute(_LINE, wanted)
            steps = {row["checkpoint_id"]: row for row in await cursor.fetchall()}
            # What was written at the checkpoint itself waits for its next step.
            step, depths = steps.get(wanted["target"]), dict[str, int]()
            while step and (step := steps.get(step["parent_checkpoint_id"])):
                if not step["counted"] or step["checkpoint_id"] in depths:
                    return None
                depths[step["checkpoint_id"]] = len(depths)
            if not depths:
                return None
            await cursor.execute(_WRITES, {**wanted, "first": min(depths), "last": max(depths)})
            rows = [row for row in await cursor.fetchall() if row["checkpoint_id"] in depths]
        rows.sort(
            key=lambda row: (
                -depths[row["checkpoint_id"]],
                writes_sort_key(row["task_path"], row["task_id"], row["idx"]),
            )
        )
        channel = str(wanted["channel"])
        return {
            "writes": [(row["task_id"], channel, self.serde.loads_typed((row["type"], row["blob"]))) for row in rows]
        }
