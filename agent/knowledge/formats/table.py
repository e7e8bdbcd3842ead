"""Tables in CSV and TSV: the columns' names are their rows' heading."""

from __future__ import annotations

import csv
import re
from itertools import pairwise

from agent.knowledge.chunks import NEWLINE, Heading, Outline, line_starts, shortened
from agent.knowledge.formats.errors import Unreadable

_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[\s\d.,:/%€$£+-]+")


def outline(document: str) -> Outline:
    """Return a table's structure.

    Raises:
        Unreadable: a quotation mark is never closed, or the like.
    """
    starts = line_starts(document)
    lines = (document[start:end] for start, end in pairwise(starts))
    reader = csv.reader(lines, delimiter=_delimiter(document))
    columns: list[str] = []
    rows = [0]
    try:
        for row in reader:
            columns = columns or row
            rows.append(starts[reader.line_num])
    except csv.Error as error:
        raise Unreadable(f"it is no table that can be read: row {len(rows)}: {error}") from error
    named = all(columns) and not any(map(_NUMBER.fullmatch, columns))
    heading = shortened(f"Columns: {', '.join(columns)}") if columns and named else ""
    return Outline("", [Heading(0, 0, 1, heading)], [rows, starts])


def _delimiter(document: str) -> str:
    """Return the delimiter that the first line holds most of."""
    names = NEWLINE.split(document.lstrip(), 1)[0]
    return max(_DELIMITERS, key=names.count)
