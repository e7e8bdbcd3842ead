"""API keys: shk_<id>_<secret>. The secret is shown once, and only its hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from service.records.tables import keys

PREFIX = "shk_"
LONGEST_OWNER = 200  # characters, as the tables have them
REVOKED_WITHIN = 10.0  # seconds for which a process remembers a key that it has checked
USED_EVERY = 60.0  # seconds between two records of a key's use

_REMEMBERED = 10_000
_SHOWN = [column for column in keys.c if column.name != "hash"]
# Made once, as every request without a key begins with it.
_ANY = select(exists().select_from(keys))


@dataclass(frozen=True)
class Key:
    """What is on record of a key. Times are seconds since 1970.

    Args:
        id: its public part.
        owner: whose requests it stands for.
        name: what it is for.
        admin: whether its owner is an administrator.
        per_minute: requests that it may make in a minute; as the settings say when None.
        concurrent: requests, streams and runs that it may have under way; as the settings say when None.
        daily_cost: US dollars that model calls with it may cost in a day; as the budgets say when None.
        daily_tokens: tokens that they may take in a day; as the budgets say when None.
        created: when it was made.
        used: when it was last used, to the minute.
        expires: when it ends; never when None.
        revoked: when it was revoked.
    """

    id: str
    owner: str
    name: str
    admin: bool
    per_minute: int | None
    concurrent: int | None
    daily_cost: float | None
    daily_tokens: int | None
    created: float
    used: float | None
    expires: float | None
    revoked: float | None

    @property
    def works(self) -> bool:
        """Whether it is neither revoked nor at its end."""
        return self.revoked is None and (self.expires is None or time.time() < self.expires)


@dataclass(frozen=True)
class NewKey:
    """What a key to be made is for; the fields are those of `Key`."""

    owner: str
    name: str = ""
    admin: bool = False
    per_minute: int | None = None
    concurrent: int | None = None
    daily_cost: float | None = None
    daily_tokens: int | None = None
    expires: float | None = None


class Keys:
    """The keys in the service's database.

    Args:
        database: the service's database.
    """

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._checked: dict[str, tuple[float, Key]] = {}

    async def create(self, wanted: NewKey) -> tuple[Key, str]:
        """Make a key, and return it with its text, which is kept nowhere."""
        secret = secrets.token_urlsafe(32)
        key = Key(id=secrets.token_hex(8), created=time.time(), used=None, revoked=None, **vars(wanted))
        async with self._database.begin() as connection:
            await connection.execute(insert(keys).values(**vars(key), hash=_hash(secret)))
        return key, f"{PREFIX}{key.id}_{secret}"

    async def all(self) -> list[Key]:
        """Return every key, the oldest first."""
        async with self._database.connect() as connection:
            rows = await connection.execute(select(*_SHOWN).order_by(keys.c.created))
            return [Key(**row) for row in rows.mappings()]

    async def names(self) -> dict[str, str]:
        """Return whose each key is and what for, by its id."""
        return {key.id: ", ".join(filter(None, (key.owner, key.name))) for key in await self.all()}

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key, and return whether there was one. Processes that run notice within `REVOKED_WITHIN`."""
        revoked = update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None)).values(revoked=time.time())
        async with self._database.begin() as connection:
            return bool((await connection.execute(revoked)).rowcount)

    async def any(self) -> bool:
        """Whether a key was ever made. One that is revoked counts: taking the last away must not let everybody in."""
        async with self._database.connect() as connection:
            return bool(await connection.scalar(_ANY))

    async def works(self, key_id: str) -> bool:
        """Whether there is a key of this id that works now."""
        async with self._database.connect() as connection:
            row = (await connection.execute(select(*_SHOWN).where(keys.c.id == key_id))).mappings().first()
        return row is not None and Key(**row).works

    async def find(self, text: str) -> Key | None:
        """Return the key that a text is, if it works."""
        fingerprint, now = _hash(text), time.monotonic()
        until, key = self._checked.get(fingerprint, (0.0, None))
        if key is None or now >= until:
            key = await self._look_up(text)
            if key is None:
                self._checked.pop(fingerprint, None)
                return None
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[fingerprint] = (now + REVOKED_WITHIN, key)
        return key if key.works else None

    async def _look_up(self, text: str) -> Key | None:
        key_id, _, secret = text.removeprefix(PREFIX).partition("_")
        async with self._database.connect() as connection:
            row = (await connection.execute(select(keys).where(keys.c.id == key_id))).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], _hash(secret)):
            return None
        key = Key(**{name: value for name, value in row.items() if name != "hash"})
        if key.works and time.time() - (key.used or 0) >= USED_EVERY:
            await self._note_use(key)
        return key

    async def _note_use(self, key: Key) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(keys).where(keys.c.id == key.id).values(used=time.time()))


def _hash(text: str) -> str:
    # Plain SHA-256 is enough: what it hashes is random, and cannot be guessed from a list of words.
    return hashlib.sha256(text.encode()).hexdigest()
