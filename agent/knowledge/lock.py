"""The process that a folder belongs to: a lock, and who holds it."""

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
    """A knowledge base of which another process has the vector index open, where that is wanted for oneself."""


class FolderLock:
    """A lock that a process holds on a folder until it lets go or dies.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holder = folder / "lock.json"
        self._lock = FileLock(folder / "lock", thread_local=False)

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock."""
        return self._lock.is_locked

    def acquire(self) -> bool:
        """Take the lock unless another has it, leaving word of who it is now, and return whether it is this process."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        command = " ".join((Path(sys.argv[0]).name, *sys.argv[1:2]))
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command}
        # Where a full disk does not take the note, the lock holds all the same.
        with suppress(OSError):
            self._holder.write_text(json.dumps(holder), encoding="utf-8")
        return True

    def expect(self) -> None:
        """Hold this process to having the lock.

        Raises:
            InUse: another has it, with who that is.
        """
        if not self.is_held:
            raise InUse(
                f"the knowledge base in {self._folder} is in use by {self._described()}. Its vectors are made by one "
                "process alone: wait for that one or end it"
            )

    def release(self) -> None:
        """Let go of the lock, where this process has it."""
        if not self.is_held:
            return
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _described(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"`{holder['command']}` (process {holder['pid']} on {holder['host']})"
        except (OSError, ValueError, KeyError):
            return "another process"
