"""The files of an export in collections: an assistant's are everybody's, those sent in a thread its owner's."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.documents import NoDocuments
from agent.knowledge.filters import Filter
from agent.state import Passage
from service.assistants.contents import Content, attached_to, copy_into, files_of
from service.assistants.dump import Dump
from service.assistants.gaps import Gap
from service.assistants.outcome import Imported, Wish
from service.assistants.threads import speaker_of

FOLDER = "assistants"
# Where a passage is looked for that an answer cites: among this many of its collection.
CANDIDATES = 20


class Shelves:
    """The collections that an export becomes.

    Args:
        base: the knowledge base.
        data_dir: the folder of what is kept here.
        dump: the export.
        contents: its files.
        names: names of the assistants' personas and collections, by their ids.
        imported: takes what became of it.
    """

    def __init__(
        self,
        base: KnowledgeBase,
        data_dir: Path,
        dump: Dump,
        contents: Mapping[str, Content],
        names: Mapping[str, str],
        imported: Imported,
    ) -> None:
        self._base = base
        self._folder = data_dir / FOLDER
        self._dump = dump
        self._contents = contents
        self._names = names
        self._imported = imported
        self._documents: dict[str, str] = {}

    async def fill(self, wish: Wish) -> None:
        """Copy the files and index them.

        Args:
            wish: says whose the files of threads are.
        """
        attached, of_threads = set(), defaultdict[tuple[str, str], set[str]](set)
        for message in self._dump.messages.values():
            if files := attached_to(message) & self._contents.keys():
                thread = self._dump.threads[str(message["thread_id"])]
                collection = self._names.get(speaker_of(thread, self._dump), FOLDER)
                of_threads[collection, wish.owner_of(thread)] |= files
                attached |= files
        left = self._contents.keys() - attached
        for assistant_id, files in self._shared(left).items():
            await self._index(self._names[assistant_id], None, files)
            left = left - files
        for (collection, owner), files in of_threads.items():
            await self._index(collection, owner, files)
        for file_id in left:
            name = self._contents[file_id].name
            self._imported.gaps.append(Gap(file_id, f"file {name}", "left out: no assistant in the export has it"))
        for file_id, record in self._dump.files.items():
            if file_id not in self._contents:
                gap = Gap(file_id, f"file {record.get('filename')}", "left out: its content is not in the export")
                self._imported.gaps.append(gap)

    async def passage(
        self, collection: str | None, owner: str, file_id: str, quoted: str, before: str
    ) -> Passage | None:
        """Return the passage of a file that an answer rests on, None where the file is not here.

        Args:
            collection: the collection.
            owner: whose files may be cited beside everybody's.
            file_id: the file.
            quoted: what is quoted of it; may be empty.
            before: the sentence that cites it.
        """
        document = self._documents.get(file_id)
        if document is None:
            return None
        where = Filter(collection=collection or FOLDER, owner=owner)
        for passage in await self._base.search(quoted or before, k=CANDIDATES, where=where):
            if passage.document == document:
                return passage
        content = self._contents[file_id]
        return Passage(document=document, title=content.name, uri=str(content.path), text=quoted) if quoted else None

    def _shared(self, left: Collection[str]) -> dict[str, set[str]]:
        """Return each assistant's files; where there is only one, all that were not sent in a thread are its."""
        if len(self._dump.assistants) == 1:
            return {next(iter(self._dump.assistants)): set(left)}
        shared = {}
        for assistant_id, assistant in self._dump.assistants.items():
            files = files_of(assistant, self._dump)
            if files is None:
                name = self._names[assistant_id]
                gap = Gap(name, "which files it has", "left out: the export does not say what is in its vector store")
                self._imported.gaps.append(gap)
            shared[assistant_id] = (files or set()) & set(left)
        return shared

    async def _index(self, collection: str, owner: str | None, files: Collection[str]) -> None:
        if not files:
            return
        whose = "everybody" if owner is None else uuid5(NAMESPACE_URL, owner).hex
        folder = await asyncio.to_thread((self._folder / collection / whose).absolute)
        names = await asyncio.to_thread(copy_into, folder, [self._contents[file_id] for file_id in sorted(files)])
        self._documents |= names
        try:
            report = await self._base.index(folder, collection=collection, owner=owner)
        except NoDocuments:
            left_out = [(name, "not a kind of document that is read") for name in names.values()]
        else:
            left_out = report.skipped
            self._imported.malformed += report.failed
            count = len(report.added) + len(report.changed) + len(report.unchanged)
            self._imported.documents[collection] = self._imported.documents.get(collection, 0) + count
        self._imported.gaps += [Gap(collection, f"file {name}", f"left out: {reason}") for name, reason in left_out]
