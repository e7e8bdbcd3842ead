"""Replaying: the same questions through the real graph, with the recorded replies and results, and what differs."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr

from agent.context import Context
from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.models.providers import Model
from agent.plain import plain
from agent.run import Assistant
from agent.settings import Knowledge, Settings, load_settings
from agent.state import Passage
from agent.toolset import BoundTool
from graphs.assistant import assembled
from service.cassettes.cassette import Called, Cassette, Request, Turn, read
from service.cassettes.tape import TapedChat, TapedTool
from service.conversation import Answer, Conversation, Question
from tools.openapi.servers import is_file
from tools.registry import loader
from tools.search import search_tool


class CassetteDiffers(AssertionError):
    """A conversation that does not run as it did when it was recorded."""


class NotRecorded(SelfhelpError):
    """A model call of which there is no record."""


@dataclass(frozen=True)
class Difference:
    """Something that is otherwise than recorded.

    Args:
        what: what it is, with its place.
        diff: how it differs, as a unified diff.
    """

    what: str
    diff: str

    def __str__(self) -> str:
        return f"{self.what}\n{self.diff}".rstrip()


def check(path: str | Path, *, settings: Settings | None = None, tools: Sequence[BaseTool] = ()) -> None:
    """Replay a cassette, for a test: nothing happens where all is as it was recorded.

    Args:
        path: the cassette.
        settings: the settings; read from selfhelp.toml and the environment where None.
        tools: tools of one's own, as `build` takes them.

    Raises:
        CassetteDiffers: something is otherwise. The message shows each difference.
    """
    differences = asyncio.run(replay(read(Path(path)), settings or load_settings(), tools))
    if differences:
        raise CassetteDiffers("\n\n".join([f"{path} differs from what was recorded", *map(str, differences)]))


async def replay(cassette: Cassette, settings: Settings, tools: Sequence[BaseTool] = ()) -> list[Difference]:
    """Ask a cassette's questions again and return what is otherwise. No model, server or document is asked.

    Args:
        cassette: the cassette.
        settings: the settings.
        tools: tools of one's own, as `build` takes them.
    """
    with TemporaryDirectory(prefix="selfhelp-replay-") as folder:
        alone: dict[str, Any] = {"data_dir": Path(folder), "database_url": None, "mcp": [], "knowledge": Knowledge()}
        alone["apis"] = [api for api in settings.apis if is_file(api.spec)]
        # What is asked where nothing names a model follows from the key.
        alone["openai_api_key"] = SecretStr("none") if cassette.default.startswith("openai:") else None
        context = Context(**cassette.context)
        player = Player(cassette, tools)
        assistant = Assistant(player.load, settings=settings.model_copy(update=alone), opener=player.open)
        conversation = Conversation(assembled(assistant, InMemorySaver()), context)
        for turn in cassette.turns:
            await player.play(turn, conversation)
    return player.differences


@dataclass
class Player:
    """Opens models and gives tools that say what a cassette holds, and notes what it does not hold.

    Args:
        cassette: the cassette.
        own: tools of one's own.
        differences: what was found to be otherwise.
    """

    cassette: Cassette
    own: Sequence[BaseTool] = ()
    differences: list[Difference] = field(default_factory=list)
    _number: int = 0
    _requests: list[Request] = field(default_factory=list)
    _calls: list[Called] = field(default_factory=list)
    _asked: int = 0
    _bound: list[BoundTool] = field(default_factory=list)

    async def play(self, turn: Turn, conversation: Conversation) -> None:
        """Ask a turn's question and look at all that follows."""
        self._number += 1
        self._asked = 0
        self._requests, self._calls = list(turn.requests), list(turn.calls)
        decided = list(turn.decided)
        outcome = await _last(conversation.turn(turn.question))
        while isinstance(outcome, Question):
            recorded = decided.pop(0) if decided else None
            self._compare("what a person is asked about", recorded.writes if recorded else [], outcome.actions)
            if recorded is None or len(recorded.decisions) != len(outcome.actions):
                return
            outcome = await _last(conversation.decide(outcome, recorded.decisions))
        self._compare("the answer", turn.answer, outcome.text)
        for request in self._requests:
            self._note("a model call was not made", _lines(request.model_dump(exclude={"reply", "usage"})), [])
        for called in self._calls:
            if not called.dropped:
                self._note(f"{called.tool} was not called", _lines(called.args), [])
        if decided:
            self._note("a person was not asked", _lines(decided[0].writes), [])

    async def open(self, name: str, _settings: Settings, _context: Context) -> Model:
        """Open a model that gives the recorded replies.

        Raises:
            NotRecorded: it was not asked when this was recorded.
        """
        if name in self.cassette.unopened:
            raise NotRecorded(self.cassette.unopened[name])
        if name not in self.cassette.models:
            self._note("another model is asked", list(self.cassette.models), [name])
            raise NotRecorded(f"{name} was not asked when this was recorded")
        named = self.cassette.models[name]

        async def stream(messages: list[BaseMessage], options: dict[str, Any]) -> AsyncIterator[AIMessageChunk]:
            recorded = self._recorded(name, messages, options)
            for chunk in recorded.pieces():
                await asyncio.sleep(0)  # reads start while a plan streams
                yield chunk
            if recorded.failed:
                raise NotRecorded(recorded.failed)

        return Model(name, cast("Any", named.provider), TapedChat.over(stream), named.protocol)

    async def load(self, settings: Settings) -> list[BoundTool]:
        """Return the tools as they are now; of servers, which are not asked, as they were."""
        if not self._bound:
            # There is a search tool where there are documents, so it is there if it was.
            search = [search_tool(_no_documents)] if self.cassette.searches else []
            there = [*search, *(tool.tool for tool in await loader(self.own)(settings))]
            read_again = {api.name for api in settings.apis}
            recorded = (each for each in self.cassette.elsewhere if each["metadata"]["catalogue"] not in read_again)
            elsewhere = [_stand_in(each) for each in recorded]
            self._bound = [TapedTool.over(self._called(tool.name), tool) for tool in [*there, *elsewhere]]
        return self._bound

    def _recorded(self, model: str, messages: list[BaseMessage], options: dict[str, Any]) -> Request:
        self._asked += 1
        now = self.cassette.request(model, messages, options)
        if not self._requests:
            self._note(f"model call {self._asked} is new", [], _lines(now.messages))
            raise NotRecorded("this model call was not recorded")
        recorded = self._requests.pop(0)
        place = f"of model call {self._asked}"
        self._compare(f"the model {place}", recorded.model, now.model)
        prompts, toolsets = self.cassette.prompts, self.cassette.toolsets
        self._compare(f"the prompt {place}", prompts.get(recorded.prompt, ""), prompts[now.prompt])
        self._compare(f"the tools {place}", toolsets.get(recorded.tools or "", []), toolsets.get(now.tools or "", []))
        self._compare(f"the messages {place}", recorded.messages, now.messages)
        return recorded

    def _called(self, name: str) -> Any:
        async def act(_call_id: str, args: dict[str, Any]) -> Any:
            given = plain(args)
            of_tool = [each for each in self._calls if each.tool == name]
            found = next((each for each in of_tool if each.args == given), None)
            if found is None:
                nearest = of_tool[0] if of_tool else None
                what = f"the arguments of {name}" if nearest else f"a call of {name} is new"
                self._note(what, _lines(nearest.args) if nearest else [], _lines(given))
                if nearest is None:
                    raise ToolException("this call was not recorded")
                found = nearest
            self._calls.remove(found)
            if found.error is not None:
                raise ToolException(found.error)
            return found.result if found.passages is None else [Passage(**each) for each in found.passages]

        return act

    def _compare(self, what: str, recorded: Any, now: Any) -> None:
        if recorded != now:
            self._note(what, _lines(recorded), _lines(now))

    def _note(self, what: str, recorded: list[str], now: list[str]) -> None:
        diff = "\n".join(difflib.unified_diff(recorded, now, "recorded", "now", lineterm=""))
        difference = Difference(f"turn {self._number}: {what}", diff)
        if all(difference.diff != known.diff for known in self.differences):
            self.differences.append(difference)


async def _last(events: AsyncIterator[Any]) -> Answer | Question:
    async for event in events:
        outcome = event
    return cast("Answer | Question", outcome)


async def _no_documents() -> KnowledgeBase:
    raise NotRecorded("this search was not recorded")


def _stand_in(recorded: dict[str, Any]) -> BaseTool:
    async def unreachable(**_args: Any) -> None:
        raise NotRecorded("this call was not recorded")

    function = recorded["function"]
    return StructuredTool(
        name=function["name"],
        description=function["description"],
        args_schema=function["parameters"],
        metadata=recorded["metadata"],
        coroutine=unreachable,
    )


def _lines(value: Any) -> list[str]:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)).splitlines()
