"""Watching files and folders, so that the index follows them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from agent.errors import SelfhelpError
from agent.knowledge.documents import Source
from agent.knowledge.sources.files import OnDisk

logger = logging.getLogger(__name__)

# How often it is looked whether a path leads to another file or folder than before, which the system does not tell.
_LOOK_MILLISECONDS = 500

# Device and inode of what each source's path leads to, None where there is nothing.
_Places = Mapping[OnDisk, tuple[int, int] | None]


class Unwatchable(SelfhelpError):
    """Files that the system cannot watch."""


async def changes(sources: Sequence[Source]) -> AsyncGenerator[set[OnDisk], None]:
    """Yield the sources on this machine whose files change, again and again. Web sites are not watched.

    The first set holds all that exist, as soon as they are watched: what indexes the yielded ones misses no change.
    One that disappears is waited for, and yielded once it is back.

    Args:
        sources: the sources.

    Raises:
        Unwatchable: the system cannot watch so many files.
    """
    local = [source for source in sources if isinstance(source, OnDisk)]
    touched: set[OnDisk] = set()
    before: _Places = {}
    while local:
        known = await asyncio.to_thread(_places, local)
        touched |= {source for source in local if known[source] != before.get(source)}
        _tell(before, known)
        before = known
        async with aclosing(_events([source.path for source in local if known[source]])) as events:
            async for paths in events:
                touched |= {source for source in local if any(source.concerns(path) for path in paths)}
                now = await asyncio.to_thread(_places, local)
                ready = {source for source in touched if now[source] and now[source] == known[source]}
                touched -= ready
                if ready:
                    yield ready
                if now != known:
                    break


async def _events(paths: Sequence[Path]) -> AsyncGenerator[set[Path], None]:
    """Yield which paths changed, and now and then none. It ends when a path is gone before it is watched."""
    from watchfiles import awatch

    events = awatch(
        *paths, watch_filter=None, rust_timeout=_LOOK_MILLISECONDS, yield_on_timeout=True, ignore_permission_denied=True
    )
    try:
        async with aclosing(events):
            async for happened in events:
                yield {Path(path) for _, path in happened}
    except FileNotFoundError:
        await asyncio.sleep(_LOOK_MILLISECONDS / 1000)
    except OSError as error:
        raise Unwatchable(
            f"the system cannot watch the documents ({error}): raise fs.inotify.max_user_watches, "
            "or set WATCHFILES_FORCE_POLLING=true"
        ) from error


def _places(sources: Sequence[OnDisk]) -> _Places:
    return {source: _place(source.path) for source in sources}


def _place(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _tell(before: _Places, now: _Places) -> None:
    for source, place in now.items():
        if not place and before.get(source, True):
            logger.warning(
                "%s is missing: it is watched again when it is back, and its index stays as it is", source.key
            )
        elif place and not before.get(source, True):
            logger.info("%s is back", source.key)
