"""Ends a server, and all that it started, as soon as nobody reads its standard error any more.

It is run as a program: `python -I -S leash.py COMMAND...`. Whoever uses the server holds the other end of that pipe,
and loses it when killed, while a server may not notice, or care, that its input has ended.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def main() -> None:
    """Run the command, in the process group of which this process is the first."""
    # Who ends the group gently gives the server time, and this process ends when the server does.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error.strerror}")
    # These pipes are the server's alone, so that they close when it closes them.
    os.close(0)
    os.close(1)
    threading.Thread(target=watch, daemon=True).start()
    _, status = os.waitpid(server, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def watch() -> None:
    """Wait until the standard error leads nowhere, and end the group."""
    poll = select.poll()
    poll.register(2, 0)
    poll.poll()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
