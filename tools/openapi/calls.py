"""Sending a request to an API and waiting for its answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from langchain_core.tools import ToolException

from agent.apis import ApiSettings
from tools.openapi.connections import GuardedTransport, Refused
from tools.openapi.credentials import Secrets
from tools.openapi.errors import Unreachable
from tools.openapi.servers import Origin

ClientFactory = Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncClient]
NO_SECRETS = Secrets({}, {})


@dataclass(frozen=True)
class Caller:
    """Sends requests to the servers of one API.

    Args:
        settings: how long a call may take.
        origins: the servers.
        private_hosts: hosts that may have private addresses; all where None.
        context: how servers prove who they are.
        client_factory: makes the client that sends through a transport.
    """

    settings: ApiSettings
    origins: frozenset[Origin]
    private_hosts: frozenset[str] | None
    context: ssl.SSLContext
    client_factory: ClientFactory | None = None

    @asynccontextmanager
    async def answered(
        self, request: httpx2.Request, secrets: Secrets, *, follows: bool
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request and give the answer, before its body is read.

        Args:
            request: the request, without credentials.
            secrets: the credentials.
            follows: whether redirects to the same servers are followed.

        Raises:
            ToolException: the server must not be asked.
            Unreachable: there is no answer, or it breaks off.
        """
        place = f"{request.method} {request.url.path}"
        timeout = self.settings.timeout
        try:
            async with asyncio.timeout(timeout), self._client(secrets) as client:
                response = await client.send(request, stream=True, follow_redirects=follows)
                try:
                    yield response
                finally:
                    await response.aclose()
        except (TimeoutError, httpx2.TimeoutException) as error:
            never_sent = isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            raise Unreachable(
                f"{place} got no answer within {timeout:g} seconds", may_have_arrived=not never_sent
            ) from None
        except Refused as error:
            raise ToolException(f"{place} is not called: {error}") from None
        except httpx2.ConnectError as error:
            raise Unreachable(f"{place}: the API cannot be reached: {error}", may_have_arrived=False) from None
        except httpx2.TooManyRedirects:
            raise ToolException(f"{place} leads from redirect to redirect") from None
        except httpx2.HTTPError as error:
            # Its message may hold what was sent.
            raise Unreachable(
                f"{place}: the answer broke off ({type(error).__name__})", may_have_arrived=True
            ) from None

    def _client(self, secrets: Secrets) -> httpx2.AsyncClient:
        transport = GuardedTransport(self.origins, self.private_hosts, self.context, secrets)
        if self.client_factory:
            return self.client_factory(transport)
        return httpx2.AsyncClient(transport=transport, timeout=self.settings.timeout, trust_env=False, max_redirects=5)
