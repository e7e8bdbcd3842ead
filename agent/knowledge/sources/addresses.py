"""Addresses of a site's pages: which belong to it, and which are the same page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urljoin

import httpx2

LONGEST = 2000

# They say where a visitor came from and who it is, not what to show.
_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|phpsessid|jsessionid", re.IGNORECASE)
# A server may take "%2e%2e" for the folder above.
_DOT = re.compile("%2e", re.IGNORECASE)
_NO_DOCUMENT = re.compile(
    r"""\.(7z|apk|avi|avif|bmp|bz2|deb|dmg|exe|flac|gif|gz|ico|iso|jar|jpe?g|m4[av]|mkv|mov|mp[34]|mpe?g|msi|ogg|otf|
    png|rar|rpm|svg|tar|tgz|tiff?|ttf|wav|web[mp]|whl|wmv|woff2?|xz|zip)$""",
    re.IGNORECASE | re.VERBOSE,
)


def normalised(address: str, base: str | None = None) -> str | None:
    """Return an address in the one form in which it is compared and asked for; None if it is of no web page.

    Args:
        address: the address, as a page gives it.
        base: what it is relative to.
    """
    try:
        joined = urljoin(base or "", _DOT.sub(".", address.strip()))
    except ValueError:
        return None
    return _normalised(joined)


# Most pages of a site link to the same ones, and reading an address takes a tenth of a millisecond.
@lru_cache(maxsize=2**14)
def _normalised(address: str) -> str | None:
    try:
        url = httpx2.URL(address)
        path, _, query = url.raw_path.decode("ascii").partition("?")
        kept = "&".join(part for part in query.split("&") if part and not _is_tracking(part))
        url = url.copy_with(raw_path=(f"{path}?{kept}" if kept else path).encode(), fragment=None)
    except (httpx2.InvalidURL, ValueError):
        return None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or len(str(url)) > LONGEST:
        return None
    return str(url)


def _is_tracking(part: str) -> bool:
    return bool(_TRACKING.fullmatch(unquote(part.partition("=")[0])))


@dataclass(frozen=True)
class Scope:
    """What belongs to a site: the pages of one server in a folder and below.

    Args:
        start: normalised address of the first page, which belongs to it too.
        folder: address of the folder, with the slash at its end.
    """

    start: str
    folder: str

    @classmethod
    def around(cls, start: str) -> Scope:
        """Return what is beside a page and below."""
        return cls(start, str(httpx2.URL(start).join(".")))

    def holds(self, address: str) -> bool:
        """Tell whether a normalised address belongs to the site."""
        return address == self.start or address.startswith(self.folder)

    def name(self, address: str) -> str:
        """Return a page's name within the site: what comes after the folder, legibly, or `index.html` for itself."""
        name = address.removeprefix(self.folder) if address.startswith(self.folder) else target(address)
        legible = unquote(name)
        return (legible if legible.isprintable() else name) or "index.html"


def origin(address: str) -> str:
    """Return the server of an address, `https://docs.example:8080`."""
    return str(httpx2.URL(address).copy_with(raw_path=b"")).rstrip("/")


def target(address: str) -> str:
    """Return an address's path and query."""
    return httpx2.URL(address).raw_path.decode("ascii")


def may_be_document(address: str) -> bool:
    """Tell whether an address may be a document's, and not by its name a picture's, an archive's or the like."""
    return not _NO_DOCUMENT.search(httpx2.URL(address).path)
