"""Recording: a conversation with the real models and tools, and all that went through them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver

from agent.context import Context
from agent.errors import ModelUnavailable, SelfhelpError
from agent.models.failures import explained
from agent.models.providers import Model, default_model, open_model
from agent.plain import plain
from agent.planning.plan import Call
from agent.run import Assistant
from agent.settings import Settings
from agent.steps import invoke, is_passages, is_transient
from agent.toolset import SEARCH, BoundTool
from graphs.assistant import assembled
from service.cassettes.cassette import Called, Cassette, Decided, Named, Turn
from service.cassettes.tape import TapedChat, TapedTool
from service.conversation import Answer, Conversation, Event, Question
from tools.registry import loader

Decide = Callable[[list[dict[str, Any]]], Sequence[dict[str, Any]]]
Show = Callable[[AsyncIterator[Event]], Any]


async def record(
    settings: Settings,
    context: Context,
    questions: Sequence[str],
    decide: Decide,
    show: Show,
    tools: Sequence[BaseTool] = (),
) -> Cassette:
    """Ask questions, one after the other in a conversation of its own, and return what happened.

    Args:
        settings: the settings.
        context: how the turns run.
        questions: the questions.
        decide: decides on writes.
        show: takes the events of a turn and returns how it ends.
        tools: tools of one's own, as `build` takes them.

    Raises:
        ModelUnavailable: no model answered.
    """
    wishes = context.model_dump(mode="json", exclude_unset=True)
    recorder = Recorder(Cassette(default=default_model(settings), context=wishes), tools)
    graph = assembled(Assistant(recorder.load, settings=settings, opener=recorder.open), InMemorySaver())
    conversation = Conversation(graph, context)
    for question in questions:
        recorder.cassette.turns.append(Turn(question=question))
        outcome: Answer | Question = await show(conversation.turn(question))
        while isinstance(outcome, Question):
            decisions = list(decide(outcome.actions))
            recorder.turn.decided.append(Decided(writes=outcome.actions, decisions=decisions))
            outcome = await show(conversation.decide(outcome, decisions))
        if outcome.degraded:
            raise ModelUnavailable(f"nothing was recorded: {outcome.degraded}")
        recorder.turn.answer = outcome.text
    return recorder.cassette


@dataclass
class Recorder:
    """Opens models and gives tools that leave what they did in a cassette.

    Args:
        cassette: the cassette.
        own: tools of one's own.
    """

    cassette: Cassette
    own: Sequence[BaseTool] = ()
    _bound: dict[str, BoundTool] = field(default_factory=dict)
    _tried: dict[str, Called] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._load = loader(self.own)

    @property
    def turn(self) -> Turn:
        """The turn under way."""
        return self.cassette.turns[-1]

    async def open(self, name: str, settings: Settings, context: Context) -> Model:
        """Open a model whose replies are recorded."""
        try:
            model = await open_model(name, settings, context)
        except SelfhelpError as error:
            self.cassette.unopened[name] = str(error)
            raise
        self.cassette.models[name] = Named(provider=model.provider, protocol=model.protocol)

        async def stream(messages: list[BaseMessage], options: dict[str, Any]) -> AsyncIterator[AIMessageChunk]:
            request = self.cassette.request(name, messages, options)
            self.turn.requests.append(request)
            try:
                async for chunk in model.chat.astream(messages, {"callbacks": []}, **options):
                    request.heard(chunk)
                    yield chunk
            except Exception as error:
                request.failed = explained(error)
                raise

        return Model(model.name, model.provider, TapedChat.over(stream, model.chat), model.protocol)

    async def load(self, settings: Settings) -> list[BoundTool]:
        """Return the tools, whose calls are recorded."""
        tools = await self._load(settings)
        self.cassette.searches = any(tool.name == SEARCH for tool in tools)
        return [self._taped(tool) for tool in tools]

    def _taped(self, bound: BoundTool) -> BoundTool:
        if bound.name not in self._bound:
            self._bound[bound.name] = TapedTool.over(self._recorded(bound), bound.tool)
            if bound.catalogue:
                metadata = {key: value for key, value in (bound.tool.metadata or {}).items() if not callable(value)}
                self.cassette.elsewhere.append({"function": bound.function, "metadata": metadata})
        return self._bound[bound.name]

    def _recorded(self, bound: BoundTool) -> Callable[[str, dict[str, Any]], Any]:
        async def act(call_id: str, args: dict[str, Any]) -> Any:
            called = Called(tool=bound.name, args=plain(args))
            name = json.dumps([called.tool, called.args], sort_keys=True)
            # A read is tried again where that may help: only what the last attempt came to counts.
            earlier = self._tried.pop(name, None)
            try:
                value = await invoke(bound, Call(1, call_id, bound.name, args), args)
            except asyncio.CancelledError:
                called.dropped = True
                raise
            except Exception as error:
                known = isinstance(error, ToolException | SelfhelpError)
                called.error = str(error) if known else f"{type(error).__name__}: {error}"
                if bound.effect == "read" and is_transient(error):
                    self._tried[name] = called
                raise
            else:
                if is_passages(value):
                    called.passages = [passage.model_dump(mode="json") for passage in value]
                else:
                    called.result = plain(value)
                return value
            finally:
                self.turn.calls = [*(each for each in self.turn.calls if each is not earlier), called]

        return act
