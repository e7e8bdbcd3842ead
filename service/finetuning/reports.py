"""What was exported, and what a training file holds, at the terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.untrusted import visible
from service.finetuning.export import PROVENANCE, TRAIN, Exported
from service.finetuning.lora import Trained
from service.finetuning.validation import HELD_OUT, Problem, Report

MOST_PROBLEMS = 50


def show_exported(exported: Exported, folder: Path, console: Console, *, masking: bool) -> None:
    """Show what was written and what was not."""
    _say(console, f"{folder / TRAIN}", f"{exported.train} examples")
    _say(console, f"{folder / HELD_OUT}", f"{exported.held_out} examples, of other threads")
    _say(console, f"{folder / PROVENANCE}", "the thread, answers and opinions of each")
    masked = (
        ", ".join(f"{count} {label.lower()}" for label, count in sorted(exported.masked.items())) or "nothing found"
    )
    if masking:
        _say(console, "masked", f"{masked}. Names and postal addresses are not found: read the files before they leave")
    else:
        _say(console, "not masked", "the files hold whatever personal data people wrote", style="yellow")
    for thread, other in exported.duplicates.items():
        _say(console, "duplicate", f"{thread} says what {other} says", style="yellow")
    for thread, reason in exported.skipped.items():
        _say(console, "skipped", f"{thread}: {visible(reason)}", style="yellow")


def show_report(report: Report, path: Path, cost: float | None, epochs: int, console: Console) -> None:
    """Show what is in a training file and what is wrong with it."""
    for problem in report.problems[:MOST_PROBLEMS]:
        console.print(Text.assemble((_place(path, problem), "red"), f" {visible(problem.message)}"), soft_wrap=True)
    if len(report.problems) > MOST_PROBLEMS:
        more = len(report.problems) - MOST_PROBLEMS
        console.print(Text(f"… and {more} more (--json lists all)", style="dim"))
    counts = sorted(report.tokens.values())
    spread = f", {counts[0]:,} to {counts[-1]:,} each, half below {int(median(counts)):,}" if counts else ""
    price = "not known: give the price of a million tokens with --price" if cost is None else f"{cost:,.2f} US dollars"
    _say(console, "examples", f"{report.examples:,}")
    _say(console, "tokens", f"about {report.total:,}{spread} (a quarter of the characters; no tokenizer is fetched)")
    _say(console, "cost", f"{price}, for {epochs} epochs of a hosted job")
    _say(console, "problems", f"{len(report.problems)}", style="red" if report.problems else "green")


def report_json(report: Report, cost: float | None, epochs: int) -> dict[str, Any]:
    """Return a report as JSON types."""
    return {
        "examples": report.examples,
        "tokens": report.total,
        "tokens_by_line": report.tokens,
        "tokens_are": "approximate",
        "epochs": epochs,
        "cost": cost,
        "problems": [asdict(problem) for problem in report.problems],
    }


def show_trained(trained: Trained, out: Path, console: Console) -> None:
    """Show what training came to."""
    _say(console, "adapter", f"{out}, {trained.parameters:,} parameters")
    _say(console, "learnt", f"{trained.samples} messages of the assistant; {trained.left_out} left out as too long")
    measured = "what is held out" if trained.held_out else "what was learnt: nothing is held out"
    _say(console, "loss", f"{trained.before:.3f} before, {trained.after:.3f} after, on {measured}")


def show_job(job: dict[str, Any], notice: str, console: Console) -> None:
    """Show a hosted job.

    Args:
        job: its fields.
        notice: what becomes of hosted jobs.
        console: where to show it.
    """
    for name in ("id", "status", "model", "trained", "tokens", "error"):
        if job[name] is not None:
            _say(console, name, visible(str(job[name])))
    for event in job["events"]:
        _say(console, "told", visible(event), style="dim")
    _say(console, "note", notice, style="yellow")


def _place(path: Path, problem: Problem) -> str:
    return f"{path}:{problem.line}:" if problem.line else f"{path}:"


def _say(console: Console, name: str, text: str, style: str = "bold") -> None:
    console.print(Text.assemble((name, style), f"  {text}"), soft_wrap=True)
