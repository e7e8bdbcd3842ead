"""Talking to the service over HTTP as a client does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Told:
    """A server-sent event."""

    number: int | None
    event: str
    data: dict[str, Any]


@dataclass
class Talk:
    """A thread, as a client of the service has it.

    Args:
        client: reaches the service.
        thread: id of the thread.
    """

    client: httpx.Client
    thread: str = ""

    def __post_init__(self) -> None:
        self.thread = self.thread or self.client.post("/api/threads", json={}).raise_for_status().json()["id"]

    def start(self, text: str, **more: Any) -> str:
        """Start a run, and return its id."""
        answer = self.client.post(f"/api/threads/{self.thread}/runs", json={"text": text, **more})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def ask(self, text: str, **more: Any) -> dict[str, Any]:
        """Ask, and return the run when it has ended or waits."""
        return self.join(self.start(text, **more))

    def join(self, run: str) -> dict[str, Any]:
        """Wait for a run."""
        return self.client.get(f"/api/runs/{run}/join").raise_for_status().json()

    @contextmanager
    def following(self, run: str, after: int = 0) -> Iterator[Iterator[Told]]:
        """Follow a run for as long as the context lasts."""
        with self.client.stream("GET", f"/api/runs/{run}/events", headers={"Last-Event-ID": str(after)}) as answer:
            yield told(answer)

    def events(self, run: str, after: int = 0) -> list[Told]:
        """Return the events of a run, to its end."""
        with self.following(run, after) as events:
            return list(events)

    def read(self) -> dict[str, Any]:
        """Return the thread."""
        return self.client.get(f"/api/threads/{self.thread}").raise_for_status().json()

    def said(self) -> list[str]:
        """Return the texts of the thread's messages."""
        return [message["text"] for message in self.read()["messages"]]


def told(answer: httpx.Response) -> Iterator[Told]:
    """Yield the events of a stream."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            yield Told(number, fields["event"], json.loads(fields["data"]))
            fields = {}


def until(events: Iterator[Told], event: str, **data: Any) -> list[Told]:
    """Return events up to the first of a kind, with these fields."""
    seen = []
    for each in events:
        seen.append(each)
        if each.event == event and data.items() <= each.data.items():
            return seen
    raise AssertionError(f"no {event} {data} in {seen}")


def text_of(events: list[Told]) -> str:
    """Return the text of the tokens."""
    return "".join(event.data["text"] for event in events if event.event == "token")
