"""The doctor: what is configured, what is reachable, and what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.apis import ApiSettings
from agent.checkpoints import open_checkpointer
from agent.errors import SelfhelpError
from agent.knowledge import library, location
from agent.knowledge.sources.site import Site
from agent.mcp_servers import McpSettings
from agent.models.endings import end_of
from agent.models.failures import explained
from agent.models.providers import default_model, open_model
from agent.personas import find_personas
from agent.prices import Prices, Tokens
from agent.settings import Settings, load_settings, settings_file, unknown_variables
from tools.registry import loader

REACH_SECONDS = 20.0
SOON = timedelta(days=90)


@dataclass(frozen=True)
class Check:
    """One thing looked at, and what was found."""

    name: str
    ok: bool
    found: str
    warning: bool = False


async def examine() -> list[Check]:
    """Look at everything a run needs."""
    python = Check("python", ok=True, found=platform.python_version())
    try:
        settings = await asyncio.to_thread(load_settings)
    except SelfhelpError as error:
        return [python, Check("settings", ok=False, found=str(error))]
    looks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "settings": _settings,
        "data folder": _data_folder,
        "threads": _threads,
        "personas": _personas,
        "tools": _tools,
        "apis": _apis,
        "mcp": _mcp,
        "documents": _documents,
        "embedder": _embedder,
        "model": _model,
    }
    checks = [await _check(name, look, settings) for name, look in looks.items()]
    if unknown := unknown_variables():
        found = f"no setting is called {', '.join(unknown)}"
        checks.append(Check("environment", ok=True, found=found, warning=True))
    return [python, *checks, await asyncio.to_thread(_prices, settings), _endings(settings)]


def report(checks: list[Check], console: Console, *, as_json: bool) -> None:
    """Show the checks as a table, or as one line of JSON."""
    if as_json:
        console.file.write(json.dumps([asdict(check) for check in checks], ensure_ascii=False) + "\n")
        return
    table = Table(box=None, show_header=False)
    for check in checks:
        good = Text("!", style="yellow") if check.warning else Text("✓", style="green")
        mark = good if check.ok else Text("✗", style="red")
        table.add_row(mark, check.name, Text(check.found))
    console.print(table)


async def _check(name: str, look: Callable[[Settings], Awaitable[str]], settings: Settings) -> Check:
    try:
        async with asyncio.timeout(REACH_SECONDS):
            return Check(name, ok=True, found=await look(settings))
    except SelfhelpError as error:
        return Check(name, ok=False, found=str(error))
    except Exception as error:  # noqa: BLE001  whatever is wrong is what the doctor is asked for
        return Check(name, ok=False, found=explained(error))


def _prices(settings: Settings) -> Check:
    """Say of which models the price is not known, which is wrong where there is a budget in money."""
    prices = Prices(settings.prices)
    unknown = [name for name in _models(settings) if prices.cost(name, Tokens(1, 1)) is None]
    if not unknown:
        return Check("prices", ok=True, found="known")
    limits = settings.budgets.limits().values()
    found = f"not known of {', '.join(unknown)}: give them under [prices] in selfhelp.toml"
    if any(limit.cost is not None for limit in limits):
        return Check("prices", ok=False, found=f"{found}, as they are not asked while there is a budget in money")
    return Check("prices", ok=True, found=found, warning=True)


def _endings(settings: Settings) -> Check:
    """Say which models end soon, as far as that is known without asking anybody."""
    ends = {name: end for name in _models(settings) if (end := end_of(name)) and end - today() < SOON}
    if not ends:
        return Check("model's end", ok=True, found="none is known to be near")
    said = ", ".join(f"{name} {'ended' if end <= today() else 'ends'} on {end}" for name, end in ends.items())
    return Check("model's end", ok=all(end > today() for end in ends.values()), found=said, warning=True)


def _models(settings: Settings) -> list[str]:
    first = settings.model or default_model(settings)
    return list(dict.fromkeys(filter(None, (first, *settings.fallbacks, settings.cascade))))


def today() -> date:
    """Return the day, in UTC."""
    return datetime.now(UTC).date()


async def _settings(settings: Settings) -> str:
    path = settings_file()
    exists = await asyncio.to_thread(path.exists)
    names = sorted(settings.model_fields_set)
    return f"{path if exists else f'no {path}'}; set: {', '.join(names) or 'nothing'}"


async def _data_folder(settings: Settings) -> str:
    def write() -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir) as file:
            file.write(os.urandom(1024))

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise SelfhelpError(f"{settings.data_dir} cannot be written: {error.strerror}. Set SELFHELP_DATA_DIR") from None
    return str(settings.data_dir)


async def _threads(settings: Settings) -> str:
    async with open_checkpointer(settings):
        return "PostgreSQL" if settings.database_url else f"SQLite in {settings.data_dir}"


async def _personas(settings: Settings) -> str:
    return ", ".join(await asyncio.to_thread(find_personas, settings.personas_dir))


async def _tools(settings: Settings) -> str:
    return ", ".join(f"{tool.name} ({tool.effect})" for tool in await loader(())(settings))


async def _apis(settings: Settings) -> str:
    if not settings.apis:
        return "none"
    from tools.openapi import load_api, refused, unset

    async def counted(wanted: ApiSettings) -> str:
        api = await load_api(wanted)
        if missing := unset(wanted):
            raise SelfhelpError(f"its credential is not there: set {', '.join(missing)}")
        if reason := refused(wanted, api.base_url):
            raise SelfhelpError(reason)
        return f"{len(api.tools)} tools, {len(api.skipped)} skipped"

    return await _each({wanted.name: counted(wanted) for wanted in settings.apis})


async def _mcp(settings: Settings) -> str:
    if not settings.mcp:
        return "none"
    from tools.mcp import Connection, load_server

    async def counted(wanted: McpSettings) -> str:
        return f"{len((await load_server(Connection(wanted))).tools)} tools"

    return await _each({wanted.name: counted(wanted) for wanted in settings.mcp})


async def _each(looks: dict[str, Awaitable[str]]) -> str:
    """Return what was found of each.

    Raises:
        SelfhelpError: something is wrong with one of them. The message names all.
    """
    found, wrong = [], []
    for name, look in looks.items():
        try:
            found.append(f"{name}: {await look}")
        except SelfhelpError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise SelfhelpError("; ".join([*wrong, *found]))
    return "; ".join(found)


async def _documents(settings: Settings) -> str:
    for wanted in settings.knowledge.sources:
        source = await library.source_of(wanted)
        if (
            not isinstance(source, Site)
            and not await asyncio.to_thread(Path(source.key).exists)
            and "*" not in wanted.at
        ):
            raise SelfhelpError(f"{wanted.at} is not there: mend sources under [knowledge] in selfhelp.toml")
    if not await asyncio.to_thread(location.is_there, settings):
        return "none yet: selfhelp index FOLDER, or sources under [knowledge] in selfhelp.toml"
    listed = ", ".join(wanted.at for wanted in settings.knowledge.sources)
    return listed or f"indexed in {location.directory(settings)}"


async def _embedder(settings: Settings) -> str:
    embedder = await library.embedder_of(settings)
    if embedder is None:
        return "none: documents are searched by their words only"
    await embedder.aembed_query("reachable?")
    return embedder.name


async def _model(settings: Settings) -> str:
    name = settings.model or default_model(settings)
    model = await open_model(name, settings, settings)
    async for _ in model.chat.astream("Say ok."):
        pass
    return f"{name} answers ({model.protocol} plans)"
