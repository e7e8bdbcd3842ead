"""What is said of a document that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent.errors import SelfhelpError


class Unreadable(SelfhelpError):
    """A document that cannot be read. Its message follows the document's name."""


@contextmanager
def readable(reason: str) -> Iterator[None]:
    """Turn whatever a library raises into Unreadable.

    Args:
        reason: what it says, unless the document is nested too deeply for the library.

    Raises:
        Unreadable: the library raised something.
    """
    try:
        yield
    except Unreadable:
        raise
    except RecursionError as error:
        raise Unreadable("it is nested too deeply: save it in a simpler form") from error
    except Exception as error:  # what parsers let through on damaged files is of every kind
        raise Unreadable(reason) from error
