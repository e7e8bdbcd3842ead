"""What a deployment says about an MCP server: how to start or reach it, and what may be done with its tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.apis import Credential, EnvironmentVariable


class McpSettings(BaseModel):
    """An MCP server whose tools the assistant may call: a command that is started, or an address."""

    # What stands in the wrong place may be a secret.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$", description="Name of the server.")
    command: str | None = Field(
        None, min_length=1, description="Program that is the server, spoken to over its standard input and output."
    )
    args: list[str] = Field(default_factory=list, description="Its arguments.")
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        description="Environment variables that it gets, by name, beside HOME, PATH, SHELL, TERM and USER.",
    )
    cwd: Path | None = Field(None, description="Folder that it is started in.")
    url: str | None = Field(
        None, pattern=r"^https?://[^/?#]", description="Address of a server that speaks streamable HTTP."
    )
    auth: Credential | None = Field(
        None,
        description="Its credential: {header, env, prefix}, {query, env}, {bearer_env} or {user_env, password_env}.",
    )
    allow_private: bool = Field(
        default=False,
        description="Whether its name may lead to private, loopback and link-local addresses. "
        "An address that is written out in url needs no leave.",
    )
    include: list[str] = Field(
        default_factory=list, description="Tools that may be called: names, with * and ?; all when empty."
    )
    exclude: list[str] = Field(default_factory=list, description="Tools that may not, in the same form.")
    effects: dict[str, Literal["read", "write"]] = Field(
        default_factory=dict, description="What tools do, by name or pattern. The first that fits counts."
    )
    trust_annotations: bool = Field(
        default=False,
        description="Whether a tool of which the server says that it only reads (readOnlyHint) is a read.",
    )
    always: list[str] = Field(default_factory=list, description="Tools that the model is shown at every question.")
    timeout: float = Field(30.0, gt=0, le=600, description="Seconds that a call, or the server's start, may take.")

    @model_validator(mode="before")
    @classmethod
    def _of_list(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("command"), list) and given["command"]:
            program, *args = given["command"]
            return {**given, "command": program, "args": [*args, *given.get("args", [])]}
        return given

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either command or url")
        strangers = {"args", "env", "cwd"} if self.url else {"auth", "allow_private"}
        if misplaced := sorted(strangers & self.model_fields_set):
            raise ValueError(f"{', '.join(misplaced)} does not go with {'url' if self.url else 'command'}")
        return self
