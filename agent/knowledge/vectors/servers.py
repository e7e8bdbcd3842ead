"""What the servers of vector databases have in common."""

from __future__ import annotations

from urllib.parse import urlsplit

from agent.knowledge.vectors import IndexUnreachable

# Seconds that a server may take to answer.
PATIENCE = 60


def unreachable(product: str, url: str, reason: str, start: str) -> IndexUnreachable:
    """Return the error for a server that cannot be used.

    Args:
        product: name of the database.
        url: the server's address; the message leaves a password in it out.
        reason: what went wrong.
        start: command that starts such a server.
    """
    split = urlsplit(url)
    place = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
    return IndexUnreachable(
        f"the {product} server at {place} cannot be used: {reason}. Start one with `{start}`, or set "
        f"{product.lower()}_url to the address of one that runs"
    )
