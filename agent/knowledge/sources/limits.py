"""How much of a source is read: documents are written by others, and a site may have no end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much is read.

    Args:
        document_bytes: of a document. A larger one is skipped.
        archive_bytes: of an archive's documents together, unpacked. The rest is left.
        archive_ratio: how many times its packed size a document may be. Zip bombs reach a thousand.
        pages: how many addresses of a site are asked for.
        page_bytes: of an HTML page. A larger one is skipped.
        site_bytes: of a site's pages and documents together. The rest is left.
        depth: how many links away from the first page a page may be.
        at_once: how many pages are asked for at the same time.
        seconds: how long the answer to one request may take.
        longest_delay: seconds between two requests, at the most, where the site's robots.txt asks for a delay.
    """

    document_bytes: int = 20 * 2**20
    archive_bytes: int = 2 * 2**30
    archive_ratio: int = 200
    pages: int = 500
    page_bytes: int = 5 * 2**20
    site_bytes: int = 200 * 2**20
    depth: int = 10
    at_once: int = 4
    seconds: float = 20.0
    longest_delay: float = 10.0


LIMITS = Limits()


def megabytes(count: float) -> str:
    """Say how much that is: "20 MB"."""
    return f"{count / 2**20:.3g} MB"
