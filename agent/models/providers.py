"""Models by name: `openai:…`, `ollama:…`, `compatible:…`, `local` and `local:/path/to.gguf`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableBinding
from pydantic import SecretStr

from agent.context import Context, Effort
from agent.errors import SettingsError
from agent.models.json_protocol import schemas
from agent.models.speaker import Speaker, TextCheck
from agent.prompts import ANSWER_AS_JSON, ANSWER_FROM_RESULTS, ANSWER_NOW
from agent.settings import Settings
from agent.toolset import Toolset

if TYPE_CHECKING:
    import httpx2

DEFAULT_OPENAI_MODEL = "gpt-6-luna"

Provider = Literal["openai", "ollama", "compatible", "local", "given"]
Protocol = Literal["native", "json"]
Progress = Callable[[int, int], None]

REQUEST_TIMEOUT = 120.0
RETRIES = 2
ROUNDS, LOCAL_ROUNDS = 4, 1
# Of the local model's 8,192 tokens, the system prompt takes 1,500 and a reply 1,024.
LOCAL_HISTORY_TOKENS = 5000
ANSWER_TOKENS = 1024
# Under a budget, no reply may take all of ChatGPT's 128,000: it would be reserved.
BUDGETED_TOKENS = 8192


@dataclass(frozen=True)
class Model:
    """A model that is ready to be asked.

    Args:
        name: `provider:name`, as set.
        provider: who serves it.
        chat: the LangChain chat model.
        protocol: how it writes plans.
    """

    name: str
    provider: Provider
    chat: BaseChatModel
    protocol: Protocol

    @property
    def rounds(self) -> int:
        """How often a turn may ask for calls, where nothing else is set: a small model would never stop asking."""
        return LOCAL_ROUNDS if self.provider == "local" else ROUNDS

    @property
    def window(self) -> int | None:
        """Tokens that it can read of a thread, where those are few."""
        return LOCAL_HISTORY_TOKENS if self.provider == "local" else None

    def last_word(self, question: str) -> str:
        """Return what the model is told when it must answer."""
        if self.provider == "local":
            return ANSWER_AS_JSON.format(question=question)
        return ANSWER_FROM_RESULTS.format(question=question) if self.protocol == "json" else ANSWER_NOW

    def most_output(self, max_tokens: int | None) -> int:
        """Return the most tokens of one reply, where there are budgets.

        Args:
            max_tokens: the answer limit of the run, if any.
        """
        if self.provider not in ("openai", "given"):
            return max_tokens or ANSWER_TOKENS
        return min(max_tokens or BUDGETED_TOKENS, (self.chat.profile or {}).get("max_output_tokens") or BUDGETED_TOKENS)

    def speaker(
        self,
        tools: Toolset,
        check: TextCheck,
        messages: Sequence[AnyMessage],
        *,
        answer_only: bool,
        effort: Effort | None = None,
        most: int | None = None,
    ) -> Speaker:
        """Return the model with tools bound, for one call.

        Args:
            tools: the tools it may call.
            check: checks what it writes.
            messages: the conversation, whose results an answer may rest on.
            answer_only: whether it must answer in text now, although the tools stay in its prompt.
            effort: how long it thinks, where it is one that does.
            most: the most tokens that it may write, where there are budgets.
        """
        options = self._options(tools, messages, answer_only=answer_only)
        if effort and self.provider == "openai" and (self.chat.profile or {}).get("reasoning_output"):
            options["reasoning"] = {"effort": effort}
        if most and self.provider in ("openai", "given"):  # the others are always told
            options["max_tokens"] = most
        return Speaker(inner=self.chat, options=options, json_plans=self.protocol == "json", check=check)

    def _options(self, tools: Toolset, messages: Sequence[AnyMessage], *, answer_only: bool) -> dict[str, Any]:
        if self.protocol == "json":
            if not answer_only:
                return self._constrained(schemas.response_format(tools))
            schema = schemas.answer_schema(messages) if self.provider == "local" else None
            return self._constrained(schemas.json_schema(schema)) if schema else {}
        shown = [tool.shown for tool in tools]
        if not shown:
            return {}
        choice = {"tool_choice": "none"} if answer_only else {}
        if self.provider == "openai":
            return self._sent({"tools": [{"type": "function", **function} for function in shown], **choice})
        functions = [{"type": "function", "function": function} for function in shown]
        if self.provider == "compatible":
            return self._sent({"tools": functions, **choice})
        bound = self.chat.bind_tools(functions, **choice)
        # The binding itself cannot be called: it would add the callbacks of the node that calls.
        return dict(bound.kwargs) if isinstance(bound, RunnableBinding) else {}

    def _constrained(self, response_format: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(self.chat, "extra_body"):
            return {"response_format": response_format}
        if self.provider == "local":
            from agent.models.local import json_grammar  # it is there already where the local model runs

            return self._sent({"grammar": json_grammar(response_format["json_schema"]["schema"])})
        # ChatOpenAI would parse a response_format of its own once more at every token, and fail at a reply cut short.
        return self._sent({"response_format": response_format})

    def _sent(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the option with which a part of the request is sent as it is.

        OpenAI's client looks through all that it is given otherwise, and would spend a sixth of a turn's CPU on tools.
        """
        return {"extra_body": {**(getattr(self.chat, "extra_body", None) or {}), **body}}


def given(chat: BaseChatModel, protocol: Literal["auto", "native", "json"]) -> Model:
    """Return a model that was handed in as a LangChain chat model.

    One that cannot bind tools plans in JSON.
    """
    binds = type(chat).bind_tools is not BaseChatModel.bind_tools
    native: Protocol = "native" if binds else "json"
    return Model(chat.get_name(), "given", chat, native if protocol == "auto" else protocol)


def default_model(settings: Settings) -> str:
    """Return the model to use when none is set: ChatGPT where its key is there, else the local one."""
    return f"openai:{DEFAULT_OPENAI_MODEL}" if settings.openai_api_key else "local"


async def open_model(name: str, settings: Settings, context: Context, progress: Progress | None = None) -> Model:
    """Open a model by name.

    Args:
        name: `provider:name`.
        settings: keys and addresses.
        context: temperature, answer limit and protocol.
        progress: is told how many bytes of how many are done, while local weights are prepared.

    Raises:
        SettingsError: there is no such provider, or a key or address that it needs is not set.
        ModelUnavailable: the local model cannot be loaded.
    """
    provider, _, model = name.partition(":")
    if provider == "openai":
        chat, protocol = _openai(model or DEFAULT_OPENAI_MODEL, settings, context), "native"
    elif provider == "ollama" and model:
        chat, protocol = _compatible(model, settings.ollama_url, "ollama", context), "json"
    elif provider == "compatible" and model:
        chat, protocol = _compatible(model, _base_url(settings), _secret(settings.api_key) or "none", context), "native"
    elif provider == "local":
        chat, protocol = await _local(Path(model) if model else None, context, progress), "json"
    else:
        raise SettingsError(
            f"there is no model {name!r}: write openai:NAME, ollama:NAME, compatible:NAME, local or local:/path/to.gguf"
        )
    chosen = protocol if context.protocol == "auto" else context.protocol
    return Model(name, provider, chat, chosen)  # type: ignore[arg-type]


def _openai(model: str, settings: Settings, context: Context) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    if not settings.openai_api_key:
        raise SettingsError(f"openai:{model} needs OPENAI_API_KEY: set it, or choose another model with SELFHELP_MODEL")
    chat = ChatOpenAI(
        model=model,
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        use_responses_api=True,
        store=False,
        include=["reasoning.encrypted_content"],
        max_completion_tokens=context.max_tokens,
        timeout=REQUEST_TIMEOUT,
        max_retries=RETRIES,
        http_async_client=_client(loopback=False),
    )
    # Reasoning models refuse a temperature.
    if context.temperature is not None and (chat.profile or {}).get("temperature"):
        chat.temperature = context.temperature
    return chat


def _compatible(model: str, base_url: str, key: str, context: Context, *, loopback: bool = False) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    from agent.models.completions import PlainCompletions

    chat = ChatOpenAI(
        model=model,
        api_key=SecretStr(key),
        base_url=base_url,
        use_responses_api=False,
        stream_usage=True,
        temperature=context.temperature,
        # Servers other than OpenAI's know the answer limit by its older name only.
        extra_body={"max_tokens": context.max_tokens or ANSWER_TOKENS},
        timeout=REQUEST_TIMEOUT,
        max_retries=RETRIES,
        http_async_client=_client(loopback=loopback),
        stream_chunk_timeout=None,  # the completions have their own
    )
    chat.async_client = PlainCompletions(chat.root_async_client)
    return chat


async def _local(path: Path | None, context: Context, progress: Progress | None) -> BaseChatModel:
    from agent.models.local import serve

    server = await serve(path, progress=progress)
    settled = context if context.temperature is not None else context.model_copy(update={"temperature": 0.0})
    return _compatible(server.model, server.base_url, server.api_key, settled, loopback=True)


def _base_url(settings: Settings) -> str:
    if not settings.base_url:
        raise SettingsError("a compatible: model needs the address of its server: set SELFHELP_BASE_URL")
    return settings.base_url


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, httpx2.AsyncClient]] = WeakKeyDictionary()


def _client(*, loopback: bool) -> httpx2.AsyncClient:
    """Return this event loop's HTTP client: its connections cannot be used from another loop."""
    import httpx2

    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if loopback not in clients:
        # A proxy from the environment must not see what goes to this machine; and llama.cpp closes connections that are
        # kept alive without saying so.
        limits = httpx2.Limits(max_keepalive_connections=0) if loopback else httpx2.Limits()
        clients[loopback] = httpx2.AsyncClient(
            trust_env=not loopback, timeout=REQUEST_TIMEOUT, follow_redirects=True, limits=limits
        )
    return clients[loopback]
