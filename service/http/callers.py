"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

LOCAL = "local"


@dataclass(frozen=True)
class Caller:
    """Who calls: what is theirs has their name as its owner.

    Args:
        owner: the person, or whatever a key stands for.
        key: id of the key that was used; None with a token of an identity provider, or without a key on loopback.
        admin: whether they may manage keys and see everybody's usage.
    """

    owner: str
    key: str | None = None
    admin: bool = False


async def _caller() -> Caller:
    return Caller(LOCAL, admin=True)


Authenticated = Annotated[Caller, Depends(_caller)]
