"""How a turn looks in a terminal: the plan as a live tree, the answer as it streams, its sources, and the figures."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from agent.models.providers import Progress as Report
from agent.state import Source, Usage
from agent.untrusted import visible
from service.conversation import Answer, Event, Question, StepEvent, Token
from service.doubts import doubt
from service.places import place_of

_MARKS = {
    "finished": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
    "rejected": ("–", "yellow"),
    "waiting": ("?", "yellow"),
}
_HEADING = re.compile(r"\A(?:#.*\n+)+")
LONGEST_ARGUMENTS = 70
LONGEST_QUOTE = 160


class TurnView:
    """Shows one turn as its events come.

    Args:
        console: where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[str, StepEvent] = {}
        self._live: Live | None = None
        self._speaking = False
        self._started = time.monotonic()

    async def show(self, events: AsyncIterator[Event]) -> Answer | Question:
        """Show the events of a turn and return its answer, or what a person is to decide first."""
        answer: Answer | Question | None = None
        try:
            self._open_live()
            async for event in events:
                if isinstance(event, Token):
                    self._speak(event.text)
                elif isinstance(event, StepEvent):
                    self._step(event)
                else:
                    answer = event
        finally:
            self._close_live()
        assert answer is not None, "a turn ends with its answer"
        if isinstance(answer, Answer):
            self._finish(answer)
        return answer

    def _speak(self, text: str) -> None:
        self._close_live()
        if not self._speaking:
            self._speaking = True
            text = text.lstrip()
        self._console.print(_plain(text), end="", soft_wrap=True)

    def _step(self, event: StepEvent) -> None:
        self._steps[event.id] = event
        if self._live is None and self._console.is_terminal:
            if self._speaking:
                self._console.print()
                self._speaking = False
            self._open_live()
        if self._live:
            self._live.update(self._picture())
        elif not self._console.is_terminal and event.status != "started":
            self._console.print(_line(event), soft_wrap=True)

    def _open_live(self) -> None:
        if self._console.is_terminal:
            self._live = Live(self._picture(), console=self._console, refresh_per_second=12)
            self._live.start()

    def _close_live(self) -> None:
        if self._live:
            self._live.update(plan_tree(self._steps.values()) if self._steps else Text(""))
            self._live.transient = not self._steps
            self._live.stop()
            self._live = None

    def _picture(self) -> RenderableType:
        thinking = Spinner("dots", Text("thinking", style="dim"))
        return Group(plan_tree(self._steps.values()), thinking) if self._steps else thinking

    def _finish(self, answer: Answer) -> None:
        if self._speaking:
            self._console.print()
        for flag in answer.flags:
            self._console.print(_plain(f"⚑ {doubt(flag)}", style="dim yellow"), soft_wrap=True)
        if answer.sources:
            self._console.print()
            for source in answer.sources:
                self._console.print(source_lines(source))
        self._console.print(Text(figures(answer.usage, time.monotonic() - self._started), style="dim"))


def plan_tree(steps: Any) -> Tree:
    """Draw the steps of a turn as a tree, one branch a step."""
    tree = Tree(Text("plan", style="bold"))
    for event in sorted(steps, key=lambda step: (step.round, step.number)):
        tree.add(Spinner("dots", _line(event)) if event.status == "started" else _line(event))
    return tree


def source_lines(source: Source) -> RenderableType:
    """Write a source: number, title and place, and the beginning of the quote below."""
    quote = " ".join(_HEADING.sub("", visible(source["text"])).split())
    line = Text(f"[{source['number']}] ", style="cyan")
    line.append(_plain(" › ".join(filter(None, (source["title"], source["heading"]))), style="bold"))
    line.append(_plain(f"  {place_of(source)}", style="dim"))
    cut = f"“{quote[:LONGEST_QUOTE]}{'…' if len(quote) > LONGEST_QUOTE else ''}”"
    return Group(line, Padding(Text(cut, style="dim italic"), (0, 0, 0, 4)))


def figures(usage: Usage, seconds: float | None = None) -> str:
    """Write tokens, cost and, where known, time in one line."""
    parts = [
        counted(len(usage["calls"]), "model call"),
        f"{usage['input']:,} tokens in ({usage['cached']:,} cached), {usage['output']:,} out",
        "cost unknown" if usage["cost"] is None else f"${usage['cost']:.5f}" if usage["cost"] else "no cost",
    ]
    if seconds is not None:
        parts.append(f"{seconds:.1f} s")
    if usage["citations_removed"]:
        parts.append(f"{counted(usage['citations_removed'], 'false citation')} removed")
    if usage["links_removed"]:
        parts.append(f"{counted(usage['links_removed'], 'link')} removed")
    return " · ".join(parts)


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: 1 link, 2 links."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def as_json(answer: Answer | Question, thread: str) -> str:
    """Write an answer, or what waits to be approved, as one line of JSON."""
    if isinstance(answer, Question):
        return json.dumps({"waiting": answer.actions, "thread": thread}, ensure_ascii=False)
    return json.dumps({**asdict(answer), "thread": thread}, ensure_ascii=False, default=str)


@contextmanager
def progress(console: Console, label: str, *, in_bytes: bool = False) -> Iterator[Report]:
    """Show a progress bar once there is something to report, and give the function that reports (done, total)."""
    with bars(console, in_bytes=in_bytes) as bar:
        yield bar(label)


@contextmanager
def bars(console: Console, *, in_bytes: bool = False) -> Iterator[Callable[[str], Report]]:
    """Show progress bars below one another, and give the function that makes one with a label. It is shown as above."""
    counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        counted,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )

    def bar(label: str) -> Report:
        task = shown.add_task(label, total=None, visible=False)

        def report(done: int, total: int) -> None:
            shown.start()
            shown.update(task, completed=done, total=total, visible=True)

        return report

    try:
        yield bar
    finally:
        shown.stop()


def _plain(text: str, style: str = "") -> Text:
    """Return text that others wrote: a terminal would obey the escape sequences in it."""
    return Text(visible(text), style=style)


def _line(event: StepEvent) -> Text:
    mark, style = _MARKS.get(event.status, ("", "default"))
    line = Text(f"{mark} " if mark else "", style=style)
    line.append(f"{event.number} ", style="dim")
    line.append(_plain(event.tool, style="bold"))
    line.append(_plain(f"({_arguments(event.args)})"))
    if event.ms is not None:
        line.append(f"  {event.ms} ms", style="dim")
    if event.error:
        line.append(_plain(f"  {event.error}", style=style))
    return line


def _arguments(args: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in args.items())
    return text if len(text) <= LONGEST_ARGUMENTS else text[:LONGEST_ARGUMENTS] + "…"
