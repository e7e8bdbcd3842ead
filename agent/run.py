"""What one run works with: its context, persona, tools and models."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, SystemMessage

from agent.account import Account
from agent.catalogue import Catalogues
from agent.context import Context
from agent.intents import Intents, open_intents
from agent.ledger.ledger import Ledger
from agent.models.providers import Model, default_model, given, open_model
from agent.personas import Persona, find_persona
from agent.prices import Prices
from agent.prompts import system_prompt
from agent.settings import Settings, load_settings
from agent.toolset import BoundTool, Toolset

if TYPE_CHECKING:
    from agent.answer_store import AnswerStore

# Models are kept open by what they are opened with, and callers may choose some of that.
MOST_OPENED = 32

OpenModel = Callable[[], Awaitable[Model]]
Opener = Callable[[str, Settings, Context], Awaitable[Model]]
LoadTools = Callable[[Settings], Awaitable[Sequence[BoundTool]]]


@dataclass(frozen=True)
class Run:
    """One run's context with every layer applied, and what follows from it.

    Args:
        context: the context.
        persona: who the assistant speaks as.
        tools: the tools.
        models: the models, each asked where those before it do not reply.
        intents: the record of writes.
        catalogues: chooses among the tools of large APIs.
        answers: keeps answers that may be given again, where they are.
        account: what its model calls are charged to.
        default_model: what is asked where the context names no model; told only where answers are kept.
        cascade: a small model that is asked before them, if there is one.
    """

    context: Context
    persona: Persona
    tools: Toolset
    models: Sequence[OpenModel]
    intents: Intents
    catalogues: Catalogues
    answers: AnswerStore | None
    account: Account
    default_model: str
    cascade: OpenModel | None = None

    async def fitting(self, messages: Sequence[AnyMessage]) -> Run:
        """Return this run for a thread's turn, with the tools that it needs where there are too many for a prompt."""
        tools = await self.catalogues.fitting(self.tools, messages, self.context.shown_tools)
        return replace(self, tools=tools, account=self.account.of_turn(messages))

    def system(self, model: Model) -> SystemMessage:
        """Return the system message for a model."""
        return SystemMessage(system_prompt(self.persona, self.tools, json_plans=model.protocol == "json"))


@dataclass
class Assistant:
    """What all runs of a graph share. Nothing is read or opened before the first run.

    Args:
        load_tools: gives the tools. Every run asks, so it keeps what it has found.
        model: a chat model to use instead of the one that is set.
        settings: the settings; read from file and environment where None.
        opener: opens models by name.
    """

    load_tools: LoadTools
    model: BaseChatModel | None = None
    settings: Settings | None = None
    opener: Opener = open_model
    _catalogues: Catalogues = field(default_factory=Catalogues)
    _answers: AnswerStore | None = None
    _ledger: Ledger | None = None
    _opened: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Model]] = field(default_factory=WeakKeyDictionary)

    async def run(self, given: Context | None) -> Run:
        """Open a run.

        Args:
            given: this run's context. What it leaves open comes from the persona, then from the settings.

        Raises:
            SettingsError: a persona, tool or setting cannot be used.
        """
        if self.settings is None:
            self.settings = await asyncio.to_thread(load_settings)
        settings = self.settings
        layer = settings.layer()
        if self.model is not None:
            layer.pop("model", None)
        wished = (given or Context()).over(layer)
        persona = await asyncio.to_thread(find_persona, wished.persona, settings.personas_dir)
        context = (given or Context()).over(persona.layer(), layer)
        tools = Toolset(await self.load_tools(settings)).only(context.tools)
        models, intents = self._models(context, settings), open_intents(settings)
        small = partial(self._open, context.cascade, context, settings) if context.cascade else None
        self._ledger = self._ledger or Ledger(settings)
        return Run(
            context,
            persona,
            tools,
            models,
            intents,
            self._catalogues,
            await self._kept_answers(settings) if context.answer_cache else None,
            Account.of(context, self._ledger, Prices(settings.prices)),
            self._default_model(settings) if context.answer_cache else "",
            small,
        )

    def _default_model(self, settings: Settings) -> str:
        # As LangChain's own caches tell models apart.
        return self.model._get_llm_string() if self.model else default_model(settings)  # noqa: SLF001

    async def _kept_answers(self, settings: Settings) -> AnswerStore:
        # What databases need takes half a second to import.
        store = await asyncio.to_thread(importlib.import_module, "agent.answer_store")
        self._answers = self._answers or store.AnswerStore(settings)
        return self._answers

    def _models(self, context: Context, settings: Settings) -> list[OpenModel]:
        """Return the chain of models, each opened when it is wanted."""
        if self.model is not None and context.model is None:
            handed = given(self.model, context.protocol)
            names = context.fallbacks
        else:
            handed, names = None, [context.model or default_model(settings), *context.fallbacks]
        chain: list[OpenModel] = [partial(self._open, name, context, settings) for name in names]
        return [partial(_ready, handed), *chain] if handed else chain

    async def _open(self, name: str, context: Context, settings: Settings) -> Model:
        key = f"{name} {context.protocol} {context.temperature} {context.max_tokens}"
        opened = self._opened.setdefault(asyncio.get_running_loop(), {})
        # A local model's server may have died since, and is then started again.
        if key not in opened or opened[key].provider == "local":
            if len(opened) >= MOST_OPENED:
                del opened[next(iter(opened))]
            opened[key] = await self.opener(name, settings, context)
        return opened[key]


async def _ready(model: Model) -> Model:
    return model
