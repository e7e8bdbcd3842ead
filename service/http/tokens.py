"""Tokens of an identity provider: JWTs, checked against the keys that it publishes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt

from agent.serving import JwtSettings
from service.http.problems import Problem
from service.records.keys import LONGEST_OWNER

ALGORITHMS = ("RS256", "ES256")

_LEEWAY = 30.0  # seconds that clocks may differ
_KEPT = 600.0  # seconds for which the provider's keys are kept
_FETCH_AT_MOST_EVERY = 30.0  # seconds between two fetches for a key that is not known
_PATIENCE = 5.0  # seconds that a fetch may take, and that are waited after one that failed


class Tokens:
    """Checks tokens. The provider's keys are fetched when the first token comes.

    Args:
        settings: what a token must say.
    """

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._client = jwt.PyJWKClient(
            settings.jwks_url, lifespan=_KEPT, cooldown_duration=_FETCH_AT_MOST_EVERY, timeout=_PATIENCE
        )
        self._one_fetch = asyncio.Lock()
        self._not_before = 0.0

    async def claims(self, token: str) -> dict[str, Any]:
        """Return what a token says.

        Raises:
            Problem: it is not valid (401), or the provider's keys cannot be fetched (503).
        """
        key = await self._key(token)
        wanted = self._settings
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=wanted.audience,
                issuer=wanted.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "aud", "iss", wanted.owner_claim]},
            )
        except jwt.ExpiredSignatureError:
            raise _refused("the token has expired: sign in again") from None
        except jwt.PyJWTError:
            raise _refused("the token is not valid here") from None
        return claims

    def owner(self, claims: dict[str, Any]) -> str:
        """Return who the person is.

        Raises:
            Problem: the claim is no name that can own something.
        """
        owner = claims[self._settings.owner_claim]
        if not isinstance(owner, str) or not 0 < len(owner) <= LONGEST_OWNER:
            raise _refused(f"the token's {self._settings.owner_claim} is not a name")
        return owner

    def is_admin(self, claims: dict[str, Any]) -> bool:
        """Whether the person is an administrator."""
        claim = claims.get(self._settings.admin_claim or "")
        wanted = self._settings.admin_value
        if wanted is None:
            return claim is True
        return wanted in claim if isinstance(claim, list) else claim == wanted

    async def _key(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _refused("this is neither a key nor a token") from None
        kid = header.get("kid")
        # What cannot be right is refused before it makes anything be fetched.
        if header.get("alg") not in ALGORITHMS or not isinstance(kid, str):
            raise _refused("the token must be signed with RS256 or ES256, by a key that it names")
        async with self._one_fetch:
            key = await self._fetched(kid)
        if key.algorithm_name not in ALGORITHMS:
            raise _refused("the token is not valid here")
        return key

    async def _fetched(self, kid: str) -> jwt.PyJWK:
        if time.monotonic() < self._not_before:
            raise _unreachable()
        try:
            return await asyncio.to_thread(self._client.get_signing_key, kid)
        except jwt.PyJWKClientConnectionError:
            self._not_before = time.monotonic() + _PATIENCE
            raise _unreachable() from None
        except (jwt.PyJWTError, ValueError):
            raise _refused("the token is signed with a key that the identity provider does not publish") from None


def _refused(message: str) -> Problem:
    return Problem(401, message, code="invalid_token")


def _unreachable() -> Problem:
    return Problem(503, "the identity provider's keys cannot be fetched: try again soon", code="unavailable")
