"""Starts the project's Python programs out of a process that has imported them, so that a command costs no cold start.

`python fork_server.py FOLDER` puts `selfhelp` and `python` into the folder. Each is a program to the shell that calls it: a
process with its own arguments, environment, working directory and standard streams, in the caller's process group.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path

IMPORTED = (
    "graphs.assistant",
    "langchain_openai",
    "service.cli",
    "service.chat",
    "service.demo",
    "service.evaluation.evaluate",
    "service.finetuning.export",
    "service.http.app",
    "service.index",
    "service.serve",
    "service.simulation.console",
    "service.usage",
)
PROGRAM = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"+"], [0, 1, 2])
    call = [{program!r}, sys.argv[1:], dict(os.environ), os.getcwd(), os.getpgrp()]
    server.sendall(json.dumps(call).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or 1))
"""


def main() -> None:
    """Answer calls until standard input is closed. In a process that was forked for a call, run its program."""
    folder = Path(sys.argv[1])
    for module in IMPORTED:
        import_module(module)
    assert threading.active_count() == 1, "threads do not outlive a fork"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "calls"))
        server.listen()
        for program in ("selfhelp", "python"):
            path = folder / program
            text = PROGRAM.format(python=sys.executable, address=str(folder / "calls"), program=program)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        gc.freeze()
        while True:
            called, _, _ = select.select([server, sys.stdin], [], [])
            if sys.stdin in called:
                return
            call, _ = server.accept()
            if os.fork() == 0:
                break
            call.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program, arguments = _take_over(call)
    _run(program, arguments)


def _take_over(call: socket.socket) -> tuple[str, list[str]]:
    """Become the process that a call asks for; what is left of this one tells the caller how it ended."""
    _, streams, _, _ = socket.recv_fds(call, 1, 3)
    program, arguments, environment, folder, group = json.load(call.makefile("rb"))
    with suppress(PermissionError):  # the caller has begun a session of its own
        os.setpgid(0, group)
    child = os.fork()
    if child:
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        call.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
        os._exit(0)
    call.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, "")
    return program, arguments


def _run(program: str, arguments: list[str]) -> None:
    sys.argv = [program, *arguments]
    if program == "selfhelp":
        from service.cli import main as selfhelp

        sys.exit(selfhelp())
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
