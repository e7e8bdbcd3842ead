"""Connections that go to configured servers only, and only to the address that was checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import SOCK_STREAM, gaierror

import httpx2

from agent.apis import ApiSettings
from tools.openapi.credentials import Secrets
from tools.openapi.servers import Origin, origin, written_out

# Local as well, which older versions of Python do not know: IPv4 in the first, translated in the second, sites' own.
_LOCAL = tuple(map(ip_network, ("::/96", "64:ff9b:1::/48", "fec0::/10")))


class Refused(Exception):
    """A server or address that must not be connected to; the message says why."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to addresses that it has looked up and checked itself, so that a name cannot lead elsewhere afterwards.

    Args:
        origins: the servers that may be asked.
        private_hosts: hosts that may have private addresses; all where None.
        context: how servers prove who they are.
        secrets: the credentials. They join the request here, where no log and no exception has it.
    """

    def __init__(
        self,
        origins: Collection[Origin],
        private_hosts: Collection[str] | None,
        context: ssl.SSLContext,
        secrets: Secrets,
    ) -> None:
        self._origins = origins
        self._private_hosts = private_hosts
        self._secrets = secrets
        self._inner = httpx2.AsyncHTTPTransport(verify=context)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first of the host's addresses that takes it.

        Raises:
            Refused: the server is not configured, or has a private address.
            httpx2.ConnectError: none of its addresses takes it.
        """
        if origin(str(request.url)) not in self._origins:
            raise Refused(f"{request.url.host} is no configured server")
        failure: httpx2.TransportError | None = None
        for address in await self._addresses(request.url):
            try:
                return await self._inner.handle_async_request(self._at(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        raise failure or httpx2.ConnectError(f"{request.url.host} has no address")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(_ascii_host(url), url.port, type=SOCK_STREAM)
        except (gaierror, UnicodeError):
            raise httpx2.ConnectError(f"{url.host} is not known") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if self._private_hosts is not None and url.host not in self._private_hosts:
            for address in addresses:
                if not is_public(address):
                    raise Refused(f"{url.host} has the private address {address}: set allow_private if that is right")
        return addresses

    def _at(self, request: httpx2.Request, address: str) -> httpx2.Request:
        """Return a request to an address, which still names the host; the certificate must be the host's."""
        url = request.url.copy_with(host=address)
        if self._secrets.query:
            url = url.copy_merge_params(self._secrets.query)
        headers = httpx2.Headers(request.headers)
        headers.update(self._secrets.headers)
        extensions = {**request.extensions, "sni_hostname": _ascii_host(request.url)}
        return httpx2.Request(request.method, url, headers=headers, stream=request.stream, extensions=extensions)


def _ascii_host(url: httpx2.URL) -> str:
    """Return a host as the Host header names it. Python itself makes another name of some, such as of straße."""
    return url.raw_host.decode("ascii")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet, also where it carries another in it."""
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed.packed[:12] == bytes.fromhex("0064ff9b0000000000000000"):  # NAT64
            inner = IPv4Address(parsed.packed[12:])
        parsed = inner or parsed
    return parsed.is_global and not parsed.is_multicast and not any(parsed in network for network in _LOCAL)


def refused(settings: ApiSettings, base_url: str) -> str | None:
    """Return why calls of an API will be refused: its document names a private address, and the settings do not."""
    host = origin(base_url)[1]
    if settings.allow_private or host in written_out(settings) or not (host == "localhost" or is_private(host)):
        return None
    return f"the document names the private address {host}: set base_url or allow_private, or its calls will fail"


def is_private(host: str) -> bool:
    """Tell whether a host is written as an IP address that is not one of the open internet."""
    try:
        return not is_public(host)
    except ValueError:
        return False
