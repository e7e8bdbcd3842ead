"""How well and how fast the knowledge base finds passages: `python -m benchmarks.retrieval`."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from agent.errors import ModelUnavailable
from agent.knowledge.embedders import Embedder
from agent.knowledge.minilm import MiniLM
from agent.models.weights import cache_dir
from benchmarks import retrieval_corpus, retrieval_quality, retrieval_speed
from benchmarks.judged_sets import SETS, JudgedSet, beir
from benchmarks.retrieval_embedders import kept
from benchmarks.sdists import Unreachable

# nDCG@10 that the weighted ranking reached when these sets were first measured: it should not be less.
TARGETS = {"code": 0.603, "docs": 0.651, "faq": 0.612, "squad2": 0.911, "cranfield": 0.418}

_UNITS = {"k": 1000, "m": 1_000_000}
_PACKAGES = ("chromadb", "langchain-chroma", "langchain-core", "onnxruntime")


def main(
    *,
    sets: Annotated[str, typer.Option(help="Judged sets to measure, of code, docs and faq.")] = ",".join(SETS),
    folders: Annotated[list[Path] | None, typer.Option("--beir", help="Folder of a set in BEIR's layout.")] = None,
    sizes: Annotated[str, typer.Option(help="Passages to store and to find among.")] = "1k,10k",
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file as well.")] = None,
) -> None:
    """Measure quality on judged sets, and speed and memory beside langchain-chroma. Empty lists leave a part out."""
    console = Console()
    load = os.getloadavg()[0]
    console.print(f"Load before the start: {load:.2f} on {os.cpu_count()} processors")
    try:
        judged = list(judgements(sets, folders or []))
        qualities = asyncio.run(measure_quality(judged)) if judged else []
    except (Unreachable, ModelUnavailable) as error:
        sys.exit(f"error: {error}")
    if qualities:
        console.print(quality_table(qualities))
    speeds = {}
    for size in filter(None, sizes.split(",")):
        speeds[size] = measure_speed(passages(size))
        console.print(speed_table(size, speeds[size]), comparison(*speeds[size]))
    if file:
        file.write_text(json.dumps(report(qualities, speeds, load), indent=2), encoding="utf-8")


def judgements(names: str, folders: Sequence[Path]) -> Iterator[JudgedSet]:
    """Yield the judged sets that were asked for.

    Args:
        names: names of sets, parted by commas.
        folders: folders of sets in BEIR's layout.

    Raises:
        Unreachable: a set cannot be fetched.
        typer.BadParameter: there is no such set.
    """
    for name in filter(None, names.split(",")):
        if name not in SETS:
            raise typer.BadParameter(f"there is no set {name!r}: choose of {', '.join(SETS)}")
        yield SETS[name]()
    yield from map(beir, folders)


async def measure_quality(judged: Sequence[JudgedSet]) -> list[retrieval_quality.Measured]:
    """Measure how well each set's questions are answered.

    Raises:
        ModelUnavailable: MiniLM is not installed.
    """
    results = []
    with kept(MiniLM(), cache_dir() / "benchmarks" / "minilm.npz") as embeddings:
        embedder = Embedder(MiniLM.name, MiniLM.dimension, embeddings)
        for each in judged:
            with TemporaryDirectory() as folder:
                results.append(await retrieval_quality.measure(each, embedder, Path(folder)))
    return results


def measure_speed(number: int) -> list[retrieval_speed.Measured]:
    """Measure what storing and finding about so many passages costs."""
    with TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        retrieval_corpus.write(documents, number)
        return retrieval_speed.measure(documents, Path(folder))


def passages(size: str) -> int:
    """Return a size that is written like 10k as a number."""
    return int(size[:-1]) * _UNITS[size[-1]] if size[-1] in _UNITS else int(size)


def quality_table(results: Sequence[retrieval_quality.Measured]) -> Table:
    """Return the table of nDCG, recall and MRR."""
    lines = _table(
        "Quality of the first 10 documents",
        "set",
        "documents",
        "questions",
        "ranking",
        "nDCG",
        "recall",
        "MRR",
        "target",
    )
    for each in results:
        for number, (way, found) in enumerate(each.qualities.items(), 1):
            place = (each.name, str(each.documents), str(each.questions)) if number == 1 else ("", "", "")
            target = TARGETS.get(each.name) if way == "weighted" else None
            figures = (f"{found.ndcg:.3f}", f"{found.recall:.3f}", f"{found.mrr:.3f}")
            last = number == len(each.qualities)
            lines.add_row(*place, way, *figures, f"{target:.3f}" if target else "", end_section=last)
    return lines


def speed_table(size: str, results: Sequence[retrieval_speed.Measured]) -> Table:
    """Return the table of times and memory at one size."""
    headings = ("chunks", "ingest/s", "MB", "query p50", "p95 ms", "embedded p50", "p95 ms", "MB")
    lines = _table(f"Stored {size} passages, found 10", "store", *headings)
    for each in results:
        lines.add_row(
            each.contender,
            str(each.ingest.chunks),
            f"{each.ingest.chunks / each.ingest.seconds:.0f}",
            f"{each.ingest.memory / 1e6:.0f}",
            *(f"{1000 * seconds:.1f}" for seconds in (each.queries.p50, each.queries.p95)),
            *(f"{1000 * seconds:.1f}" for seconds in (each.embedded.p50, each.embedded.p95)),
            f"{each.queries.memory / 1e6:.0f}",
        )
    return lines


def comparison(ours: retrieval_speed.Measured, theirs: retrieval_speed.Measured) -> str:
    """Say how the stores compare, with what is wanted of the largest size."""
    pairs = {
        "ingest time of a chunk": (
            ours.ingest.seconds / ours.ingest.chunks,
            theirs.ingest.seconds / theirs.ingest.chunks,
        ),
        "memory at that": (ours.ingest.memory, theirs.ingest.memory),
        "query p95": (ours.queries.p95, theirs.queries.p95),
        "memory open": (ours.queries.memory, theirs.queries.memory),
    }
    ratios = ", ".join(f"{name} {one / other:.2f}" for name, (one, other) in pairs.items())
    most = f"{1000 * retrieval_speed.MOST_P95:.0f} ms"
    return f"selfhelp to langchain-chroma: {ratios}. Wanted: query p95 below {most} at 100k."


def report(
    qualities: Sequence[retrieval_quality.Measured],
    speeds: Mapping[str, Sequence[retrieval_speed.Measured]],
    load: float,
) -> dict[str, Any]:
    """Return everything as JSON, with what it was taken on."""
    return {
        "machine": {"python": platform.python_version(), "processors": os.cpu_count(), "load": load},
        "packages": {name: version(name) for name in _PACKAGES},
        "quality": [asdict(each) for each in qualities],
        "speed": {size: [asdict(each) for each in results] for size, results in speeds.items()},
    }


def _table(title: str, first: str, *headings: str) -> Table:
    lines = Table(first, title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False, title_justify="left")
    for heading in headings:
        lines.add_column(heading, justify="right", no_wrap=True)
    return lines


if __name__ == "__main__":
    typer.run(main)
