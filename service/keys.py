"""The `keys` commands: who may call the service from elsewhere."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.errors import SettingsError
from agent.settings import Settings
from agent.untrusted import visible
from service.records.database import open_database
from service.records.keys import LONGEST_OWNER, REVOKED_WITHIN, Key, Keys, NewKey

_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


async def create_key(settings: Settings, wanted: NewKey, console: Console, *, as_json: bool) -> None:
    """Make a key and print it, this once."""
    if not 0 < len(wanted.owner) <= LONGEST_OWNER:
        raise SettingsError(f"--owner must be a name of 1 to {LONGEST_OWNER} characters")
    if wanted.daily_cost is not None and not math.isfinite(wanted.daily_cost):
        raise SettingsError("--daily-cost must be a number of US dollars: leave it out for no limit")
    async with open_database(settings) as database:
        key, text = await Keys(database).create(wanted)
    if as_json:
        console.file.write(json.dumps({**asdict(key), "key": text}, ensure_ascii=False) + "\n")
        return
    console.print(text, soft_wrap=True, markup=False)
    console.print("Keep it: it is not shown again. Clients send it as Authorization: Bearer KEY.", style="dim")


async def list_keys(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Show every key, without what is secret."""
    async with open_database(settings) as database:
        found = await Keys(database).all()
    if as_json:
        console.file.write(json.dumps([asdict(key) for key in found], ensure_ascii=False) + "\n")
        return
    if not found:
        console.print("no keys: the service lets in whoever sits at this machine, and nobody else")
        return
    table = Table("id", "owner", "name", "admin", "created", "last used", "state", box=None)
    for key in found:
        admin, times = "yes" if key.admin else "", (_day(key.created), _day(key.used))
        table.add_row(key.id, Text(visible(key.owner)), Text(visible(key.name)), admin, *times, _state(key))
    console.print(table)


async def revoke_key(settings: Settings, key_id: str, console: Console) -> None:
    """End a key.

    Raises:
        SettingsError: there is no such key that works.
    """
    async with open_database(settings) as database:
        revoked = await Keys(database).revoke(key_id)
    if not revoked:
        raise SettingsError(f"there is no key {key_id} to revoke: selfhelp keys list shows their ids")
    console.print(f"revoked; a service that runs refuses it within {REVOKED_WITHIN:.0f} seconds")


def end_of(span: str | None) -> float | None:
    """Return when a span such as 90d, from now, ends in seconds since 1970; None for no end.

    Raises:
        SettingsError: it is no span.
    """
    return None if span is None else time.time() + seconds_of(span, "--expires")


def seconds_of(span: str, option: str) -> int:
    """Return the seconds of a span such as 90d.

    Args:
        span: the span.
        option: what it was given as.

    Raises:
        SettingsError: it is no span.
    """
    found = _SPAN.fullmatch(span)
    if found is None:
        raise SettingsError(f"{option} {span} is no span of time: write 30m, 12h, 90d or 4w")
    return int(found[1]) * _SECONDS[found[2]]


def _state(key: Key) -> str:
    if key.revoked is not None:
        return "revoked"
    if not key.works:
        return "expired"
    return f"until {_day(key.expires)}" if key.expires else "works"


def _day(at: float | None) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}" if at else "–"
