"""An export taken over: assistants become personas, files collections, and threads threads that go on."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from agent.checkpoints import open_checkpointer
from agent.errors import SettingsError
from agent.knowledge.library import open_base
from agent.personas import SHIPPED
from agent.settings import Settings
from graphs.assistant import build
from service.assistants.contents import contents_of
from service.assistants.dump import Dump, Object, read_dump
from service.assistants.outcome import Imported, Wish
from service.assistants.persona import origin, persona_text, slug
from service.assistants.shelves import Shelves
from service.assistants.threads import Threads, speaker_of
from service.records.database import open_database
from tools.registry import loader

# Everybody's documents are in the collection of this name.
_RESERVED = "default"


async def import_export(settings: Settings, path: Path, wish: Wish) -> Imported:
    """Take an export over. Run again, it adds what is new, and leaves alone what was changed here since.

    Args:
        settings: the settings.
        path: the export: a folder, or a file of JSON or JSONL.
        wish: how.

    Raises:
        SettingsError: there is no such export, or what is kept here cannot be written.
    """
    dump = await asyncio.to_thread(read_dump, path)
    contents = await asyncio.to_thread(contents_of, dump)
    names = await asyncio.to_thread(_names, dump, settings.personas_dir)
    imported = Imported(malformed=list(dump.malformed))
    base = await open_base(settings)
    try:
        shelves = Shelves(base, settings.data_dir, dump, contents, names, imported)
        await shelves.fill(wish)
        tools = [tool.name for tool in await loader(())(settings)]
        for assistant_id, assistant in dump.assistants.items():
            name = names[assistant_id]
            text, gaps = persona_text(assistant, name, wish.model, tools, collection=name in imported.documents)
            imported.gaps += gaps
            await asyncio.to_thread(_write, settings.personas_dir / f"{name}.md", text, assistant_id, imported)
        async with open_database(settings) as database, open_checkpointer(settings) as checkpointer:
            threads = Threads(dump, database, build(settings=settings, checkpointer=checkpointer), imported)
            for thread in dump.threads.values():
                persona, owner = names.get(speaker_of(thread, dump)), wish.owner_of(thread)
                await threads.take(thread, persona, owner, partial(shelves.passage, persona, owner))
    finally:
        await base.close()
    imported.gaps = sorted(set(imported.gaps))
    return imported


def _names(dump: Dump, personas: Path) -> dict[str, str]:
    """Return the name of each assistant's persona and collection, by its id."""
    names: dict[str, str] = {}
    for assistant_id, assistant in sorted(dump.assistants.items()):
        name = slug(assistant)
        if name in (*names.values(), _RESERVED) or _is_anothers(name, assistant, personas):
            name = f"{name}-{slug({'id': assistant_id})}"
        names[assistant_id] = name
    return names


def _is_anothers(name: str, assistant: Object, personas: Path) -> bool:
    """Whether there is a persona of that name that is not this assistant's."""
    if (SHIPPED / f"{name}.md").exists():
        return True
    file = personas / f"{name}.md"
    return file.exists() and origin(assistant) not in file.read_text(encoding="utf-8", errors="replace").splitlines()


def _write(file: Path, text: str, assistant_id: str, imported: Imported) -> None:
    imported.personas[assistant_id] = str(file)
    try:
        if file.exists():
            same = file.read_text(encoding="utf-8") == text
            imported.unchanged.append(f"{file}" if same else f"{file} (changed here: delete it to have it made anew)")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}. Set SELFHELP_PERSONAS_DIR") from None
