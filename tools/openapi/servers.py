"""Where operations are called: the server of the settings or of the document, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

import httpx2

from agent.apis import ApiSettings
from tools.openapi.documents import Document
from tools.openapi.errors import ApiFailed, Unusable
from tools.openapi.operations import Operation

_VARIABLE = re.compile(r"\{([^{}]+)\}")

Origin = tuple[str, str, int | None]


@dataclass(frozen=True)
class Servers:
    """The servers of an API.

    Args:
        document: the document, which may name them.
        settings: the settings, which go before it.
    """

    document: Document
    settings: ApiSettings

    def default(self) -> str:
        """Return the address that the document's paths are relative to.

        Raises:
            ApiFailed: none is named, or it is on a host that nobody configured.
        """
        try:
            address = self.settings.base_url or self._address(self.document.content)
        except Unusable as error:
            raise ApiFailed(f"{self.document.place}: {error}. Set base_url of the API {self.settings.name!r}") from None
        if not address:
            raise ApiFailed(f"{self.document.place} names no server: set base_url of the API {self.settings.name!r}")
        if not is_file(self.document.place) and origin(address) not in configured(self.settings):
            raise ApiFailed(
                f"{self.document.place} says that the API is at {address}, which is another server. If that is right, "
                f'set base_url = "{address}"'
            )
        return address

    def of(self, operation: Operation, default: str) -> str:
        """Return the address that an operation's path is relative to.

        Raises:
            Unusable: it is on a host that nobody configured.
        """
        if self.settings.base_url:
            return default
        address = self._address(operation.content) or self._address(operation.shared) or default
        if origin(address) not in {origin(default), *configured(self.settings)}:
            raise Unusable(f"it is called at {address}, another server: add it to hosts")
        return address

    def _address(self, source: Mapping[str, Any]) -> str | None:
        servers = source.get("servers")
        if not isinstance(servers, list) or not servers:
            # OpenAPI: where none is named, it is the document's own.
            return (
                urljoin(self.document.place, "/")
                if source is self.document.content and not is_file(self.document.place)
                else None
            )
        server = self.document.resolved(servers[0])
        declared = server.get("variables")
        address = self._filled(str(server.get("url", "/")), declared if isinstance(declared, Mapping) else {})
        address = address if is_file(self.document.place) else urljoin(self.document.place, address)
        if not re.match("https?://", address):
            return None
        try:
            if not httpx2.URL(address).host:
                raise Unusable(f"the server address {address!r} has no host")
        except (httpx2.InvalidURL, ValueError) as error:
            raise Unusable(f"the server address {address!r} is wrong: {error}") from None
        return address.partition("?")[0].partition("#")[0]

    def _filled(self, address: str, declared: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            variable = declared.get(match[1])
            default = variable.get("default") if isinstance(variable, Mapping) else None
            found = self.settings.server_variables.get(match[1], default)
            if found is None:
                raise Unusable(f"the server address has the variable {match[1]!r}: set it in server_variables")
            return str(found)

        return _VARIABLE.sub(value, address)


def is_file(place: str) -> bool:
    """Tell whether a document's place is a file and no address."""
    return not place.lower().startswith(("http://", "https://"))


def origin(address: str) -> Origin:
    """Return scheme, host and port of an address."""
    url = httpx2.URL(address)
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def configured(settings: ApiSettings) -> set[Origin]:
    """Return the servers that the settings name."""
    return {origin(address) for address in _addresses(settings)}


def written_out(settings: ApiSettings) -> set[str]:
    """Return the hosts in the settings that are addresses by themselves, and `localhost`."""
    hosts = {origin(address)[1] for address in _addresses(settings)}
    return set(filter(is_written_out, hosts))


def is_written_out(host: str) -> bool:
    """Tell whether a host is an address by itself, or `localhost`."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _addresses(settings: ApiSettings) -> list[str]:
    given = [settings.spec, settings.base_url or "", *settings.hosts]
    return [address for address in given if not is_file(address)]
