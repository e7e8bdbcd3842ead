"""What a deployment sets: selfhelp.toml, and SELFHELP_* environment variables over it."""

from __future__ import annotations

import logging
import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from agent.apis import ApiSettings
from agent.context import Context
from agent.errors import SettingsError
from agent.mcp_servers import McpSettings
from agent.prices import Price
from agent.serving import RetentionSettings, ServiceSettings, TracingSettings

SETTINGS_FILE = "selfhelp.toml"
PREFIX = "SELFHELP_"
# Variables that are read elsewhere.
NO_SETTINGS = {"SELFHELP_SETTINGS", "SELFHELP_CACHE_DIR", "SELFHELP_DEBUG"}

logger = logging.getLogger(__name__)

Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class SourceSettings(BaseModel):
    """Where documents come from. In the settings file its place alone does as well."""

    model_config = ConfigDict(extra="forbid")

    at: str = Field(description="Path, pattern or address: docs, notes/**/*.md, manuals.zip, https://example.com/help/")
    collection: str = Field("default", description="Name of the collection that they go into.")
    owner: str | None = Field(None, description="Whose they are; everybody's when empty.")
    pages: int | None = Field(None, ge=1, description="The most pages that are read of a web site; when empty, 500.")

    @model_validator(mode="before")
    @classmethod
    def _of_place(cls, given: object) -> object:
        return {"at": given} if isinstance(given, str) else given


class Knowledge(BaseModel):
    """Documents to answer from, and how they are searched."""

    model_config = ConfigDict(extra="forbid")

    sources: list[SourceSettings] = Field(default_factory=list, description="Where the documents come from.")
    embedder: str | None = Field(
        None,
        description="openai:MODEL, compatible:MODEL, minilm or none; when empty, OpenAI with its key, else minilm.",
    )
    dense_weight: float | None = Field(
        None, ge=0, le=1, description="How much meaning counts against words in a search; when empty, 0.3."
    )


class Settings(Context, BaseSettings):
    """Settings of a deployment: where things are, and defaults for the fields of `Context`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    tools: list[str] = Field(
        default_factory=list,
        description="The user's own tools as module:attribute: a tool, a list of tools, or a function that gives them.",
    )
    apis: list[ApiSettings] = Field(default_factory=list, description="APIs whose operations become tools.")
    mcp: list[McpSettings] = Field(default_factory=list, description="MCP servers whose tools may be called.")
    knowledge: Knowledge = Field(default_factory=Knowledge, description="Documents to answer from.")
    prices: dict[str, Price] = Field(
        default_factory=dict, description="Prices of models as provider:model, before those that are known."
    )
    data_dir: Folder = Field(Path(".selfhelp"), description="Folder of threads and knowledge base.")
    personas_dir: Folder = Field(Path("personas"), description="Folder of the user's own personas.")
    base_url: str | None = Field(None, description="Address of the OpenAI-compatible server of compatible: models.")
    api_key: SecretStr | None = Field(None, description="Key of that server.")
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY", description="ChatGPT's key.")
    openai_base_url: str | None = Field(
        None,
        validation_alias="OPENAI_BASE_URL",
        description="Address to reach ChatGPT at, where it is not OpenAI's own.",
    )
    ollama_url: str = Field("http://127.0.0.1:11434/v1", description="Address of Ollama's OpenAI-compatible endpoint.")
    chroma_url: str | None = Field(
        None, description="Address of a Chroma server for the vectors; a Chroma folder in data_dir when unset."
    )
    chroma_token: SecretStr | None = Field(None, description="Token for that server.")
    qdrant_url: str | None = Field(None, description="Address of a Qdrant server for the vectors.")
    qdrant_key: SecretStr | None = Field(None, description="Key of that server.")
    service: ServiceSettings = Field(
        default_factory=ServiceSettings, description="How the service listens, and whom it lets in."
    )
    tracing: TracingSettings = Field(default_factory=TracingSettings, description="Traces for OpenTelemetry.")
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="How long threads and documents are kept."
    )
    database_url: SecretStr | None = Field(None, description="PostgreSQL address for threads; SQLite when unset.")

    @field_validator("database_url")
    @classmethod
    def _is_of_postgresql(cls, given: SecretStr | None) -> SecretStr | None:
        if given and not given.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("only PostgreSQL keeps threads beside SQLite: write postgresql://user@host/name")
        return given

    @model_validator(mode="after")
    def _sources_of_tools_have_names_of_their_own(self) -> Self:
        names = Counter([*(api.name for api in self.apis), *(server.name for server in self.mcp)])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two of [[apis]] and [[mcp]] are named {', '.join(map(repr, twice))}: rename one")
        return self

    def layer(self) -> dict[str, Any]:
        """Return the fields of `Context` that are set here."""
        return {name: getattr(self, name) for name in self.model_fields_set & Context.model_fields.keys() - {"tools"}}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the environment, then the settings file."""
        return init_settings, env_settings, _SettingsFile(settings_cls, settings_file())


class _SettingsFile(TomlConfigSettingsSource):
    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        # Some editors begin a file with a byte order mark.
        return tomllib.loads(file_path.read_text(encoding="utf-8-sig"))


def settings_file() -> Path:
    """Return the settings file: `SELFHELP_SETTINGS`, or selfhelp.toml in the working directory."""
    return Path(os.environ.get("SELFHELP_SETTINGS", SETTINGS_FILE))


def load_settings(**given: Any) -> Settings:
    """Read the settings. It reads a file: call it in a thread from async code.

    Args:
        given: settings that go before file and environment.

    Raises:
        SettingsError: the file cannot be read, or a key or value in it is wrong.
    """
    if "SELFHELP_SETTINGS" in os.environ and not settings_file().exists():
        raise SettingsError(f"{settings_file()} is not there, which SELFHELP_SETTINGS names")
    if unknown := unknown_variables():
        logger.warning("no setting is called %s", ", ".join(unknown))
    try:
        return Settings(**given)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{settings_file()} is not valid TOML: {error}") from None
    except ValidationError as error:
        raise SettingsError(f"{settings_file()} or SELFHELP_* settings: {_problems(error)}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{settings_file()} is not UTF-8: save it in that encoding") from None
    except OSError as error:
        raise SettingsError(f"{settings_file()} cannot be read: {error.strerror}") from None


def unknown_variables() -> list[str]:
    """Return the SELFHELP_* variables of the environment that set nothing, each with what it is likely to mean."""
    # They are no errors: Kubernetes sets SELFHELP_PORT and others where a service is called selfhelp.
    known = {name.upper(): str(field.validation_alias or PREFIX + name.upper()) for name, field in _fields()}
    read = {*known.values(), *NO_SETTINGS}
    names = sorted(name for name in map(str.upper, os.environ) if name.startswith(PREFIX))
    return [_with_likely(name, known) for name in names if name not in read and name.split("__")[0] not in read]


def _with_likely(variable: str, known: dict[str, str]) -> str:
    near = get_close_matches(variable.removeprefix(PREFIX), known, n=1, cutoff=0.75)
    return f"{variable} (is it {known[near[0]]}?)" if near else variable


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield the settings and those of sections, by the names that variables have for them."""
    for name, field in Settings.model_fields.items():
        yield name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((f"{name}__{inner}", each) for inner, each in field.annotation.model_fields.items())


def _problems(error: ValidationError) -> str:
    said = ((".".join(map(str, problem["loc"])), _said(problem)) for problem in error.errors())
    return "; ".join(": ".join(filter(None, parts)) for parts in said)


def _said(problem: ErrorDetails) -> str:
    if problem["type"] != "extra_forbidden":
        return problem["msg"]
    known = Settings.model_fields if len(problem["loc"]) == 1 else ()
    near = get_close_matches(str(problem["loc"][0]), known, n=1)
    return f"there is no such setting; is it {near[0]}?" if near else "there is no such setting"
