"""Waiting until a plan is on record: a write of one that is not would be planned and sent again after a crash."""

from __future__ import annotations

import asyncio

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from agent.errors import SelfhelpError

PATIENCE = 30.0
_PAUSE = 0.002


class NotKept(SelfhelpError):
    """A plan whose checkpoint does not get written."""


async def until_kept(config: RunnableConfig) -> None:
    """Wait for the checkpoint that a node began from, which LangGraph writes while the node already runs.

    Args:
        config: the config of the node. Where its runs keep nothing before they end, there is nothing to wait for.

    Raises:
        NotKept: it is not there after `PATIENCE` seconds.
    """
    configurable = config.get("configurable", {})
    saver = configurable.get("__pregel_checkpointer")
    if not isinstance(saver, BaseCheckpointSaver) or configurable.get("__pregel_durability") == "exit":
        return
    namespace, _, _ = str(configurable.get("checkpoint_ns", "")).rpartition("|")
    begun_from = RunnableConfig(
        configurable={
            "thread_id": configurable["thread_id"],
            "checkpoint_ns": namespace,
            "checkpoint_id": configurable["checkpoint_map"][namespace],
        }
    )
    attempts = AsyncRetrying(
        retry=retry_if_result(lambda found: found is None), wait=wait_fixed(_PAUSE), stop=stop_after_delay(PATIENCE)
    )
    try:
        await attempts(_found, saver, begun_from)
    except RetryError:
        raise NotKept("the plan cannot be kept, so none of its writes is sent: look after the threads' disk") from None


async def _found(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> CheckpointTuple | None:
    try:
        return await saver.aget_tuple(config)
    except NotImplementedError:  # a saver that is only synchronous
        return await asyncio.to_thread(saver.get_tuple, config)
