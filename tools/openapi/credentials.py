"""Credentials: which ones an operation needs, read from the environment at each call, and kept out of all else."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from langchain_core.tools import ToolException

from agent.apis import ApiSettings, BasicAuth, BearerAuth, Credential, HeaderAuth, QueryAuth
from tools.openapi.documents import Document
from tools.openapi.errors import Unusable
from tools.openapi.operations import Operation

HIDDEN = "***"
# A shorter one would also be found where it is none.
_SHORTEST_SCRUBBED = 4


@dataclass(frozen=True)
class Secrets:
    """What is sent along with one call.

    Args:
        headers: headers that carry a secret.
        query: query parameters that do.
        texts: the texts by which a secret would be recognised.
    """

    headers: dict[str, str]
    query: dict[str, str]
    texts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Secrets({', '.join([*self.headers, *self.query])})"

    def scrubbed(self, value: Any) -> Any:
        """Return a JSON value with `HIDDEN` for the secrets that an API sends back."""
        if isinstance(value, str):
            for text in self.texts:
                value = value.replace(text, HIDDEN)
            return value
        if isinstance(value, dict):
            return {self.scrubbed(key): self.scrubbed(item) for key, item in value.items()}
        return [self.scrubbed(item) for item in value] if isinstance(value, list) else value


def read_secrets(credentials: Iterable[Credential]) -> Secrets:
    """Read credentials from the environment.

    Raises:
        ToolException: a variable is not set, or holds what cannot be sent.
    """
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    texts: list[str] = []
    for each in credentials:
        values = [_value(name) for name in _variables(each)]
        if isinstance(each, QueryAuth):
            query[each.query] = values[0]
        else:
            name, value = _header(each, values)
            if not value.isascii() or not value.isprintable():
                raise ToolException(f"the environment variable {_variables(each)[-1]} holds what no header can")
            headers[name] = value
            texts.append(value.removeprefix("Basic "))
        # A user's name is no secret, and a person may well ask for it.
        texts.append(values[-1])
    forms = {form for text in texts for form in (text, quote(text, safe=""), quote_plus(text))}
    return Secrets(headers, query, recognisable(forms))


def recognisable(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts by which secrets are recognised, the longest first, as it may hold another."""
    return tuple(sorted((text for text in texts if len(text) >= _SHORTEST_SCRUBBED), key=len, reverse=True))


def placeholders(credentials: Iterable[Credential]) -> Secrets:
    """Return what stands for credentials where a request is shown."""
    given = list(credentials)
    query = {each.query: HIDDEN for each in given if isinstance(each, QueryAuth)}
    headers = {
        each.header if isinstance(each, HeaderAuth) else "Authorization": HIDDEN
        for each in given
        if not isinstance(each, QueryAuth)
    }
    return Secrets(headers, query)


def hidden_parameters(settings: ApiSettings) -> set[tuple[str, str]]:
    """Return location and name of the parameters that credentials are sent in."""
    found = set()
    for each in _configured(settings).values():
        if isinstance(each, QueryAuth):
            found.add(("query", each.query.lower()))
        elif isinstance(each, HeaderAuth):
            found.add(("header", each.header.lower()))
    return found


def unset(settings: ApiSettings) -> list[str]:
    """Return the environment variables of an API's credentials that are not set."""
    names = [name for each in _configured(settings).values() for name in _variables(each)]
    return [name for name in dict.fromkeys(names) if not os.environ.get(name, "").strip()]


def secret_texts(apis: Iterable[ApiSettings]) -> set[str]:
    """Return the texts by which the credentials of APIs would be recognised, of those that are set."""
    found: set[str] = set()
    for api in apis:
        for credential in _configured(api).values():
            with suppress(ToolException):
                found.update(read_secrets([credential]).texts)
    return found


def needed(document: Document, operation: Operation, settings: ApiSettings) -> tuple[Credential, ...]:
    """Return the credentials that an operation is called with.

    Raises:
        Unusable: it needs one that is not configured.
    """
    configured = _configured(settings)
    if not configured:
        return ()
    requirements = operation.content.get("security", document.content.get("security"))
    if requirements == []:
        return ()
    if not isinstance(settings.auth, dict) or not isinstance(requirements, list):
        return tuple(configured.values())
    wanted = [dict(each) for each in requirements if isinstance(each, Mapping)]
    usable = [each for each in wanted if each.keys() <= configured.keys()]
    if not usable:
        schemes = " or ".join(sorted({" with ".join(each) for each in wanted}))
        raise Unusable(f"it needs the credential {schemes}: set auth.{next(iter(wanted[0]), '') if wanted else ''}")
    # Where calling without one is allowed too, more is seen with one.
    return tuple(configured[name] for name in max(usable, key=len))


def _configured(settings: ApiSettings) -> dict[str, Credential]:
    if settings.auth is None:
        return {}
    return dict(settings.auth) if isinstance(settings.auth, dict) else {"": settings.auth}


def _variables(credential: Credential) -> tuple[str, ...]:
    if isinstance(credential, BasicAuth):
        return credential.user_env, credential.password_env
    return (credential.bearer_env,) if isinstance(credential, BearerAuth) else (credential.env,)


def _header(credential: HeaderAuth | BearerAuth | BasicAuth, values: list[str]) -> tuple[str, str]:
    if isinstance(credential, HeaderAuth):
        return credential.header, credential.prefix + values[0]
    if isinstance(credential, BearerAuth):
        return "Authorization", f"Bearer {values[0]}"
    return "Authorization", f"Basic {base64.b64encode(':'.join(values).encode()).decode()}"


def _value(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ToolException(f"the environment variable {variable} is not set: it holds a credential of this API")
    return value
