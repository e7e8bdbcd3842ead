"""Zip archives of documents. Nothing is unpacked to disk."""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
import zlib
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.formats import kind_of
from agent.knowledge.sources.files import NO_KIND, OnDisk, is_hidden, reason_of
from agent.knowledge.sources.limits import Limits, megabytes

_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LOCAL_HEADER = struct.Struct("<4s22x2H")
# Less than this is no bomb, however small it was packed.
_SUSPECT_BYTES = 2**20


class Archive(OnDisk):
    """The documents in a zip file, which have addresses such as `/srv/manuals.zip#tents/heron.md`."""

    def _listed(self, report: IndexReport) -> list[Found]:
        found: dict[str, Found] = {}
        total = 0
        for member in _members(self.path):
            name = _name(member.filename)
            if not name or member.is_dir():
                continue
            if reason := _reason_to_skip(member, name, self.limits):
                report.skipped.append((name, reason))
                continue
            if reason := _reason_unreadable(member):
                report.failed.append((name, reason))
                continue
            total += member.file_size
            if total > self.limits.archive_bytes:
                report.incomplete = f"{self.path} holds more than {megabytes(self.limits.archive_bytes)} of documents"
                break
            found[name] = self._found(member, name)
        return list(found.values())

    def _found(self, member: zipfile.ZipInfo, name: str) -> Found:
        kind = kind_of(name)
        assert kind  # or it had been skipped
        place = (member.header_offset, member.compress_size, member.compress_type, member.CRC)
        read = partial(read_member, str(self.path), place, self.limits.document_bytes)
        return Found(name, f"{self.path}#{name}", kind, _modified(member), read)


def read_member(path: str, place: tuple[int, int, int, int], most: int) -> bytes:
    """Return what is in a member of an archive.

    `zipfile` would read the list of all members for each, and unpack more than it is asked for.

    Args:
        path: where the archive is.
        place: where the member begins, its packed size in bytes, its method and its CRC-32.
        most: how many bytes it may have, unpacked.

    Raises:
        OSError: it cannot be read, or is not what the archive's list says.
    """
    offset, size, method, checksum = place
    with Path(path).open("rb") as file:
        file.seek(offset)
        header = file.read(_LOCAL_HEADER.size)
        # Python makes room for as much as is to be read, however little there is.
        fits = size <= os.fstat(file.fileno()).st_size
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4") or not fits:
            raise _damaged(path)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        file.seek(name_length + extra_length, 1)
        content = file.read(size)
    if method == zipfile.ZIP_DEFLATED:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, most + 1)
        except zlib.error as error:
            raise _damaged(path) from error
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {megabytes(most)}", path)
    if zlib.crc32(content) != checksum:
        raise _damaged(path)
    return content


def _damaged(path: str) -> OSError:
    return OSError(errno.EIO, "damaged in the archive, or the archive has changed meanwhile", path)


def _members(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except OSError as error:
        raise NoDocuments(f"{path} cannot be read: {reason_of(error)}") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise NoDocuments(f"{path} is no zip archive, or a damaged one ({error}): make it again") from error


def _name(filename: str) -> str:
    # A member may be called "../../etc/passwd", or worse for a terminal.
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in filename.replace("\\", "/"))
    return "/".join(part for part in PurePosixPath(shown).parts if part not in ("/", "//", ".."))


def _reason_to_skip(member: zipfile.ZipInfo, name: str, limits: Limits) -> str | None:
    if is_hidden(name):
        return "hidden"
    if stat.S_ISLNK(member.external_attr >> 16) or not kind_of(name):
        return NO_KIND
    if member.file_size > limits.document_bytes:
        return f"larger than {megabytes(limits.document_bytes)}"
    if member.file_size > max(_SUSPECT_BYTES, limits.archive_ratio * member.compress_size):
        return "packed as tightly as a zip bomb"
    return None


def _reason_unreadable(member: zipfile.ZipInfo) -> str | None:
    if member.flag_bits & _ENCRYPTED:
        return "encrypted: put it in the archive without a password"
    if member.compress_type not in _METHODS:
        return "packed by a method that is not read: pack it with deflate"
    return None


def _modified(member: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*member.date_time).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
