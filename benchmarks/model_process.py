"""The scripted model server in a process of its own, so that its work does not count in the measured one."""

from __future__ import annotations

import multiprocessing
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import SecretStr

from agent.settings import Settings
from tests.support.model_server import CHARACTERS_PER_TOKEN, Body, ModelServer, Reply, prompt, serve

# As OpenAI does: the beginning of a prompt is kept if it has 1,024 tokens, and by 128 of them.
LEAST_KEPT, KEPT_STEP = 1024, 128


class Script(ModelServer):
    """A model server that is told its script, and asked for its requests, from another process."""

    asked: float = 0.0

    def take(self) -> tuple[list[Body], list[str]]:
        """Return the requests since the last time, and what was wrong with them."""
        requests, problems = self.requests, [*self.errors, *(f"never asked for: {reply}" for reply in self.script)]
        self.requests, self.errors, self.script = [], [], []
        return requests, problems

    def forget(self) -> None:
        """Drop the requests."""
        self.requests = []

    def next(self, body: Body) -> Reply:
        """Take the reply for a request, and note when it was asked for."""
        self.asked = time.time()
        return super().next(body)

    def asked_at(self) -> float:
        """Return when the last request came, in seconds since 1970."""
        return self.asked

    def pace(self, first_token: float, per_token: float) -> None:
        """Set the seconds before the first piece of a reply, and between pieces."""
        self.first_token, self.per_token = first_token, per_token


@dataclass
class KeepingScript(Script):
    """One that says of every prompt how much of its beginning it has read before, for the same model."""

    read: dict[str, list[str]] = field(default_factory=dict)

    def next(self, body: Body) -> Reply:
        """Take the reply for a request, with how much of its prompt was read before."""
        written, before = prompt(body), self.read.setdefault(body["model"], [])
        same = max((in_common(other, written) for other in before), default=0) // CHARACTERS_PER_TOKEN
        before.append(written)
        cached = same // KEPT_STEP * KEPT_STEP if same >= LEAST_KEPT else 0
        return replace(super().next(body), cached=cached)


def in_common(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    return bisect(range(1, min(len(one), len(other)) + 1), 0, key=lambda end: one[:end] != other[:end])


@dataclass(frozen=True)
class ModelProcess:
    """A model server in another process.

    Args:
        url: base address.
        commands: takes the name and the arguments of a method of `Script`, and gives what it returns.
    """

    url: str
    commands: Connection

    def settings(self, folder: Path) -> Settings:
        """Return settings that name this server, as its users do, and keep threads in a folder."""
        return Settings(model="compatible:scripted", base_url=self.url, data_dir=folder)

    @property
    def chat(self) -> BaseChatModel:
        """A chat model that asks this server, as users of LangChain make one."""
        return ChatOpenAI(
            model="scripted",
            base_url=self.url,
            api_key=SecretStr("none"),
            use_responses_api=False,
            streaming=True,
            stream_usage=True,
        )

    def openai(self) -> AsyncOpenAI:
        """A client of OpenAI's library that asks this server."""
        return AsyncOpenAI(base_url=self.url, api_key="none")

    def will(self, *replies: Reply) -> None:
        """Add replies to the script."""
        self._ask("will", *replies)

    def take(self) -> list[Body]:
        """Return the requests since the last time.

        Raises:
            RuntimeError: they were not those of the script.
        """
        requests, problems = cast("tuple[list[Body], list[str]]", self._ask("take"))
        if problems:
            raise RuntimeError("\n".join(problems))
        return requests

    def forget(self) -> None:
        """Drop the requests, which would fill the memory of a long run."""
        self._ask("forget")

    def asked_at(self) -> float:
        """Return when the last request came, in seconds since 1970."""
        return cast("float", self._ask("asked_at"))

    def pace(self, first_token: float, per_token: float) -> None:
        """Set the seconds before the first piece of a reply, and between pieces."""
        self._ask("pace", first_token, per_token)

    def _ask(self, method: str, *arguments: Any) -> Any:
        self.commands.send((method, arguments))
        return self.commands.recv()


@contextmanager
def model_process(script: Script) -> Iterator[ModelProcess]:
    """Serve a script on loopback, in a process that ends with the context."""
    context = multiprocessing.get_context("spawn")
    commands, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(script, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ModelProcess(commands.recv(), commands)
    finally:
        commands.close()
        process.join()


def _serve(script: Script, commands: Connection) -> None:
    with serve(script):
        commands.send(script.url)
        try:
            while True:
                method, arguments = commands.recv()
                commands.send(getattr(script, method)(*arguments))
        except EOFError:  # the benchmark has ended
            return
