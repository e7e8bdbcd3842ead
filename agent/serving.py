"""How the service listens, and whom it lets in."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Origin = Annotated[str, Field(pattern=r"^https?://[^/\s,;'\"]+$")]


class JwtSettings(BaseModel):
    """Tokens of an identity provider: RS256 or ES256, signed with a key that it publishes."""

    model_config = ConfigDict(extra="forbid")

    issuer: str = Field(min_length=1, description="What a token's iss must be.")
    audience: str = Field(min_length=1, description="What a token's aud must hold.")
    jwks_url: str = Field(description="Address of the provider's keys, such as https://id.example.com/jwks.json.")
    owner_claim: str = Field("sub", description="The claim that says who the person is.")
    admin_claim: str | None = Field(None, description="The claim that says whether they are an administrator.")
    admin_value: str | None = Field(
        None, description="What that claim is, or holds, of an administrator; when empty, it must be true."
    )

    @field_validator("jwks_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("the provider's keys are fetched over https only")
        return url


class TracingSettings(BaseModel):
    """Traces for OpenTelemetry."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str | None = Field(
        None, description="Where traces go, such as http://127.0.0.1:4318/v1/traces; nowhere when empty."
    )
    contents: bool = Field(False, description="Whether they hold what was asked, found and answered.")


class RetentionSettings(BaseModel):
    """How long things are kept."""

    model_config = ConfigDict(extra="forbid")

    threads_days: int | None = Field(
        None, ge=1, description="Days after which a thread that nobody uses is deleted; kept for ever when empty."
    )
    documents_days: int | None = Field(
        None, ge=1, description="Days after which an uploaded document is deleted; kept for ever when empty."
    )


class ServiceSettings(BaseModel):
    """How the service listens, and whom it lets in."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on. Beyond loopback, a key or jwt is needed.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for any that is free.")
    per_minute: int = Field(120, ge=1, description="Requests that a key may make in a minute, unless it says itself.")
    concurrent: int = Field(16, ge=1, description="Requests, streams and runs that a key may have under way at once.")
    jwt: JwtSettings | None = Field(None, description="Tokens of an identity provider, beside keys.")
    origins: list[Origin] = Field(
        default_factory=list,
        description="Origins of web pages elsewhere that may call the service, such as https://intranet.example.com.",
    )
    body_bytes: int = Field(4_000_000, ge=1000, description="The largest request, in bytes.")
    upload_bytes: int = Field(64_000_000, ge=1000, description="The largest upload of files, in bytes.")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address stands for this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
