"""What must be on record before a write is sent: the plan that holds it, and which request a person's answer was to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import NULL_TASK_ID
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.types import RESUME
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
    begun_from = _begun_from(configurable)
    attempts = AsyncRetrying(
        retry=retry_if_result(lambda found: found is None), wait=wait_fixed(_PAUSE), stop=stop_after_delay(PATIENCE)
    )
    try:
        await attempts(_found, saver, begun_from)
    except RetryError:
        raise NotKept("the plan cannot be kept, so none of its writes is sent: look after the threads' disk") from None


async def answer_kept(config: RunnableConfig, answers: Sequence[Any]) -> None:
    """Keep the answers that a node or task has taken as its own.

    LangGraph keeps the answer that a run was resumed with for whichever asks next, until a checkpoint is written: when
    the run goes on after a cut, it would be taken for the answer to a request that nobody has seen. It is struck out
    first, so that a crash in between has the person asked again.

    Args:
        config: the config of the node or task.
        answers: all that it has taken so far, in order.
    """
    configurable = config.get("configurable", {})
    saver = configurable.get("__pregel_checkpointer")
    if not isinstance(saver, BaseCheckpointSaver):
        return
    begun_from = _begun_from(configurable)
    for task, left in ((NULL_TASK_ID, None), (configurable["__pregel_task_id"], list(answers))):
        try:
            await saver.aput_writes(begun_from, [(RESUME, left)], task)
        except NotImplementedError:  # a saver that is only synchronous
            await asyncio.to_thread(saver.put_writes, begun_from, [(RESUME, left)], task)


def _begun_from(configurable: Mapping[str, Any]) -> RunnableConfig:
    begun: dict[str, str] = configurable["checkpoint_map"]
    above, _, _ = str(configurable.get("checkpoint_ns", "")).rpartition("|")
    # A task that a node starts has a name within the node's, and the checkpoint is that of their graph.
    namespace = min((name for name, checkpoint in begun.items() if checkpoint == begun[above]), key=len)
    return RunnableConfig(
        configurable={
            "thread_id": configurable["thread_id"],
            "checkpoint_ns": namespace,
            "checkpoint_id": begun[namespace],
        }
    )


async def _found(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> CheckpointTuple | None:
    try:
        return await saver.aget_tuple(config)
    except NotImplementedError:  # a saver that is only synchronous
        return await asyncio.to_thread(saver.get_tuple, config)
