"""What a deployment says about an API: where its document is, how to reach it, and what may be done with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Part(BaseModel):
    # What stands in the wrong place may be a secret.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class HeaderAuth(_Part):
    """A header that carries a secret."""

    header: str = Field(pattern=r"^[A-Za-z0-9-]+$", description="Name of the header, such as X-Api-Key.")
    env: EnvironmentVariable = Field(description="Environment variable that holds the secret.")
    prefix: str = Field("", description='What goes before it, such as "Bearer ".')


class QueryAuth(_Part):
    """A query parameter that carries a secret."""

    query: str = Field(description="Name of the query parameter.")
    env: EnvironmentVariable = Field(description="Environment variable that holds the secret.")


class BearerAuth(_Part):
    """A bearer token."""

    bearer_env: EnvironmentVariable = Field(description="Environment variable that holds the token.")


class BasicAuth(_Part):
    """User and password."""

    user_env: EnvironmentVariable = Field(description="Environment variable that holds the user's name.")
    password_env: EnvironmentVariable = Field(description="Environment variable that holds the password.")


def _kind(given: Any) -> str:
    keys = given if isinstance(given, dict) else getattr(type(given), "model_fields", {})
    return next((kind for kind in ("header", "query", "bearer_env", "user_env") if kind in keys), "schemes")


Credential = HeaderAuth | QueryAuth | BearerAuth | BasicAuth
_OneCredential = (
    Annotated[HeaderAuth, Tag("header")]
    | Annotated[QueryAuth, Tag("query")]
    | Annotated[BearerAuth, Tag("bearer_env")]
    | Annotated[BasicAuth, Tag("user_env")]
)
_ByScheme = dict[str, Annotated[_OneCredential, Discriminator(_kind)]]


class ApiSettings(_Part):
    """An API whose operations become tools."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$", description="Name of the API.")
    spec: str = Field(description="Its OpenAPI 3 document: address or file, JSON or YAML.")
    base_url: str | None = Field(
        None, pattern=r"^https?://", description="Address that the paths are relative to, in place of the document's."
    )
    server_variables: dict[str, str] = Field(
        default_factory=dict, description="Values of the variables in the document's server address."
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Other servers that operations may be called on, such as https://uploads.example.com.",
    )
    auth: Annotated[_OneCredential | Annotated[_ByScheme, Tag("schemes")], Discriminator(_kind)] | None = Field(
        None,
        description="The credential: {header, env, prefix}, {query, env}, {bearer_env} or {user_env, password_env}, "
        "or one for each security scheme of the document by its name.",
    )
    include: list[str] = Field(
        default_factory=list,
        description="Operations that become tools: ids, paths, METHOD /path or tags, with * and ?; all when empty.",
    )
    exclude: list[str] = Field(default_factory=list, description="Operations that do not, in the same form.")
    allow_private: bool = Field(
        default=False,
        description="Whether names may lead to private, loopback and link-local addresses. "
        "An address that is written out in spec, base_url or hosts needs no leave.",
    )
    timeout: float = Field(30.0, gt=0, le=600, description="Seconds that a call may take.")
    idempotency: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header by which the API knows a repeated write, where the document does not declare it.",
    )
    effects: dict[str, Literal["read", "write"]] = Field(
        default_factory=dict, description="What operations do, where it is not what their method says."
    )
    undo: dict[str, str] = Field(default_factory=dict, description="The operation that takes a write back, by write.")
    always: list[str] = Field(default_factory=list, description="Operations that the model is shown at every question.")
