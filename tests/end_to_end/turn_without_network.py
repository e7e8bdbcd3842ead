"""A turn on a server in a network namespace that has nothing but loopback. Prints what was said and what was looked for."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client

from tests.end_to_end.conversation import DOCUMENTS, turn
from tests.support.dev_server import DevServer, running
from tests.support.model_server import ModelServer, Reply, serve

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def main() -> None:
    """Print JSON: the answer, the attempts to leave the machine, and the same count after one on purpose."""
    _raise_loopback()
    with serve(ModelServer()) as model, running(DevServer(Path(sys.argv[1]), model.url, DOCUMENTS)) as server:
        model.will(Reply(calls=[("search", {"query": "boots"})]), "Sixty days [1].")
        state = asyncio.run(_turn(server.url))
        model.verify()
        complaints = server.complaints()
    attempts = _attempts_to_leave()
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), 1)
    found = {"answer": state["messages"][-1]["content"], "complaints": complaints, "attempts": attempts}
    print(json.dumps({**found, "after_one": _attempts_to_leave()}))  # noqa: T201


async def _turn(url: str) -> dict[str, Any]:
    async with get_client(url=url) as client:
        return await turn(client, (await client.threads.create())["thread_id"], "How long can I return boots?")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _attempts_to_leave() -> int:
    """Return how often a connection or a packet, name look-ups among them, found no route: the kernel's own count."""
    names, counts = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:"))
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(counts[names.index("OutNoRoutes")]) + int(six["Ip6OutNoRoutes"])


if __name__ == "__main__":
    main()
