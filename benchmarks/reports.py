"""What a benchmark found, as tables for the terminal and for Markdown, and as promises that were held or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table


@dataclass(frozen=True)
class Sheet:
    """A table of figures.

    Args:
        title: what they are of.
        headings: what the columns are.
        rows: the cells, row by row.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> Table:
        """Return the table for a terminal."""
        shown = Table(title=self.title, box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title_justify="left")
        for position, heading in enumerate(self.headings):
            shown.add_column(heading, justify="right" if position else "left")
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        """Return the table in Markdown."""
        ruler = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.headings, ruler, *self.rows)]
        return f"**{self.title}**\n\n" + "\n".join(lines)


@dataclass(frozen=True)
class Check:
    """A promise, and what was found.

    Args:
        promise: what should be.
        found: what is.
        held: whether that is so.
    """

    promise: str
    found: str
    held: bool


@dataclass(frozen=True)
class Part:
    """What one part of the benchmarks found.

    Args:
        sheets: its tables.
        checks: its promises.
        figures: the numbers, as JSON types.
    """

    sheets: Sequence[Sheet]
    checks: Sequence[Check] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def rich(self) -> Group:
        """Return everything for a terminal."""
        tables = [sheet.rich() for sheet in self.sheets]
        return Group(*tables, promises(self.checks).rich()) if self.checks else Group(*tables)


def promises(checks: Sequence[Check]) -> Sheet:
    """Return the table of promises."""
    rows = [(check.promise, check.found, "yes" if check.held else "NO") for check in checks]
    return Sheet("Promises", ("promise", "found", "held"), rows)
