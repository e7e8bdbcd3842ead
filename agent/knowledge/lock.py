"""One process at a time: a lock on a folder, and who holds it."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from agent.errors import SelfhelpError


class InUse(SelfhelpError):
    """A knowledge base that another process has open."""


class FolderLock:
    """A lock that a process holds on a folder until it lets go or dies.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holder = folder / "lock.json"
        self._lock = FileLock(folder / "lock", thread_local=False)

    def acquire(self) -> None:
        """Take the lock, and leave word of who has it.

        Raises:
            InUse: another has it, with who that is.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InUse(
                f"the knowledge base in {self._folder} is in use by {self._described()}. Wait for it or end it; for "
                "several processes at once run `chroma run` and set SELFHELP_CHROMA_URL"
            ) from None
        command = " ".join((Path(sys.argv[0]).name, *sys.argv[1:2]))
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command}
        # Where a full disk does not take the note, the lock holds all the same.
        with suppress(OSError):
            self._holder.write_text(json.dumps(holder), encoding="utf-8")

    def release(self) -> None:
        """Let go of the lock."""
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _described(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"`{holder['command']}` (process {holder['pid']} on {holder['host']})"
        except (OSError, ValueError, KeyError):
            return "another process"
