"""Retention: threads and documents that have had their time are deleted, by what [retention] says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.serving import RetentionSettings
from service.documents import Documents
from service.threads.archive import Archive

DAY = 86400.0
EVERY = 3600.0  # seconds between looks

log = logging.getLogger(__name__)


class Retention:
    """Deletes what has had its time. Every process does; what another has deleted already does no harm.

    Args:
        policy: how long things are kept.
        archive: all threads.
        documents: people's own documents.
    """

    def __init__(self, policy: RetentionSettings, archive: Archive, documents: Documents) -> None:
        self._policy = policy
        self._archive = archive
        self._documents = documents

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Look every hour for as long as the context lasts."""
        if self._policy.threads_days is None and self._policy.documents_days is None:
            yield
            return
        looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def apply(self) -> None:
        """Delete what has had its time by now."""
        now = time.time()
        if self._policy.threads_days is not None:
            before = now - self._policy.threads_days * DAY
            for thread in await self._archive.unused_since(before):
                await self._archive.delete_unused(thread, before)
        if self._policy.documents_days is not None:
            for document in await self._documents.older_than(now - self._policy.documents_days * DAY):
                await self._documents.delete(document)

    async def _look_on(self) -> None:
        while True:
            try:
                await self.apply()
            except Exception as error:  # noqa: BLE001  whatever it is, there is a next time
                log.warning("what has had its time cannot be deleted now: %s", type(error).__name__)
            await asyncio.sleep(EVERY)
