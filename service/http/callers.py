"""Who calls: the owner of a key, a person with a token, or whoever sits at this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope

from agent.admins import ADMIN
from agent.budgets import KeyBudget, Limit
from agent.ledger.records import LOCAL
from agent.serving import ServiceSettings
from service.http.loopback import refuse_others
from service.http.problems import Problem
from service.http.tokens import Tokens
from service.records.keys import PREFIX, Key, Keys

if TYPE_CHECKING:
    from langgraph_sdk import Auth

_CALLER = "selfhelp.caller"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Who calls: what is theirs has their name as its owner.

    Args:
        owner: the person, or whatever a key stands for.
        key: id of the key that was used; None with a token of an identity provider, or without a key on loopback.
        admin: whether they see everybody's usage, feedback and metrics.
        authenticated: whether a key or token says so; else they sit at this machine, where nobody is asked for one.
        per_minute: the most requests in a minute; any number when None.
        concurrent: the most requests, streams and runs at once; any number when None.
        daily: what model calls with the key may use in a day, beside the budgets of the settings.
    """

    owner: str
    key: str | None = None
    admin: bool = False
    authenticated: bool = True
    per_minute: int | None = None
    concurrent: int | None = None
    daily: Limit = field(default_factory=Limit)

    @property
    def context(self) -> dict[str, Any]:
        """What a run that they start is told of them, whatever it was told before."""
        key = KeyBudget(id=self.key, **self.daily.model_dump()) if self.key else None
        return {"owner": self.owner, "key_budget": key and key.model_dump()}

    @property
    def user(self) -> Auth.types.MinimalUserDict:
        """What a LangGraph server is told of them, and passes on to the runs and crons that they make."""
        return {
            "identity": self.owner,
            "display_name": self.owner,
            "is_authenticated": True,
            "permissions": [ADMIN] if self.admin else [],
            "context": self.context,  # type: ignore[typeddict-unknown-key]  # it keeps what else it is told
        }


class Callers:
    """Tells who calls.

    Args:
        settings: whom the service lets in.
        keys: the keys.
    """

    def __init__(self, settings: ServiceSettings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._tokens = Tokens(settings.jwt) if settings.jwt else None

    async def of(self, scope: Scope, pages: tuple[str, ...] = ()) -> Caller:
        """Return who calls.

        Args:
            scope: the ASGI scope of the request.
            pages: patterns of the origins whose pages may call without a key, beside the service's own.

        Raises:
            Problem: they say nothing that lets them in.
        """
        headers = Headers(scope=scope)
        given = _credential(headers)
        if given.startswith(PREFIX):
            return await self._owner_of_key(given)
        if given and self._tokens:
            return await self._person(given, self._tokens)
        if not await self.need_no_key():
            raise Problem(401, "send a key as Authorization: Bearer shk_...", code="no_key", headers=_CHALLENGE)
        refuse_others(scope, headers, (*pages, *map(re.escape, self._settings.origins)))
        return Caller(LOCAL, admin=True, authenticated=False)

    async def need_no_key(self) -> bool:
        """Whether people at this machine are let in without a key: until there is one, or an identity provider."""
        return self._tokens is None and not await self._keys.any()

    async def _owner_of_key(self, text: str) -> Caller:
        key: Key | None = await self._keys.find(text)
        if key is None:
            message = "the key is not valid, has expired or was revoked: ask for a new one"
            raise Problem(401, message, code="invalid_key", headers=_CHALLENGE)
        return Caller(
            owner=key.owner,
            key=key.id,
            admin=key.admin,
            per_minute=key.per_minute or self._settings.per_minute,
            concurrent=key.concurrent or self._settings.concurrent,
            daily=Limit(cost=key.daily_cost, tokens=key.daily_tokens),
        )

    async def _person(self, token: str, tokens: Tokens) -> Caller:
        claims = await tokens.claims(token)
        owner = tokens.owner(claims)
        if owner == LOCAL:
            raise Problem(401, f"the name {LOCAL} is kept for this machine", code="invalid_token", headers=_CHALLENGE)
        return Caller(
            owner=owner,
            admin=tokens.is_admin(claims),
            per_minute=self._settings.per_minute,
            concurrent=self._settings.concurrent,
        )


def let_in(scope: Scope, caller: Caller) -> None:
    """Note who calls with their request, for `caller_of`."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller:
    """Return who calls, as the middleware found.

    Raises:
        Problem: nobody was let in.
    """
    caller: Caller | None = scope.get(_CALLER)
    if caller is None:
        raise Problem(401, "nobody was let in here", code="no_key", headers=_CHALLENGE)
    return caller


def _credential(headers: Headers) -> str:
    """Return the key or token that came with a request. LangGraph's clients send a key as X-Api-Key."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return given.strip()
    key = headers.get("x-api-key", "").strip()
    return key if key.startswith(PREFIX) else ""


_bearer = HTTPBearer(auto_error=False, description="A key, shk_..., or a token of the identity provider.")


# The second parameter is for /docs, which offers a field for the key.
async def _caller(request: Request, _: Annotated[object, Depends(_bearer)]) -> Caller:
    return caller_of(request.scope)


Authenticated = Annotated[Caller, Depends(_caller)]
