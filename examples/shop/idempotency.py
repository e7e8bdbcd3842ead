"""Writes that take effect once for each idempotency key (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from .ledger import now, writing
from .problems import Refused

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r'^(?:[^\s"]{1,255}|"[^\s"]{1,255}")$',
        description=(
            "Makes the request safe to repeat. A repeated key with the same request is answered with the first"
            " response and the header Idempotent-Replayed: true; with another request it is refused with 422, and"
            " with 409 while the first one is still at work. Refused requests use up no key. Keys are kept for ever."
        ),
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ),
]


class KeysAtWork:
    """The keys of the requests that this process is working on. They die with it, so none is held for ever."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def hold(self, key: str | None) -> Iterator[None]:
        """Hold a key while its request is at work.

        Raises:
            Refused: Another request holds it.
        """
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise Refused(HTTPStatus.CONFLICT, "A request with this Idempotency-Key is still at work; wait for it.")
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.remove(key)


@dataclass(frozen=True)
class Write:
    """A request to write.

    Args:
        database: the shop's database.
        at_work: the keys that are at work.
        key: its idempotency key, None where it has none.
        target: its method and path.
        operation: its operationId.
        status: HTTP status of its success.
    """

    database: Path
    at_work: KeysAtWork
    key: str | None
    target: str
    operation: str
    status: int

    def once(self, effect: Callable[[sqlite3.Connection], BaseModel], body: BaseModel | None = None) -> Response:
        """Let the effect happen and keep its response in one transaction, or give the response kept for the key.

        Args:
            effect: what to do within the transaction; it returns the response's content.
            body: content of the request.

        Raises:
            Refused: The key is at work or belongs to another request, or the effect is refused.
        """
        content = body.model_dump(mode="json") if body else None
        fingerprint = sha256(json.dumps([self.target, content], sort_keys=True).encode()).hexdigest()
        with self.at_work.hold(self.key), writing(self.database) as connection:
            if kept := self._kept(connection, fingerprint):
                return kept
            response = effect(connection).model_dump_json()
            connection.execute(
                "INSERT INTO effects (key, operation, fingerprint, status, response, at) VALUES (?, ?, ?, ?, ?, ?)",
                (self.key, self.operation, fingerprint, self.status, response, now()),
            )
        return Response(response, self.status, media_type="application/json")

    def _kept(self, connection: sqlite3.Connection, fingerprint: str) -> Response | None:
        row = connection.execute("SELECT * FROM effects WHERE key = ?", (self.key,)).fetchone()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            detail = "This Idempotency-Key belongs to another request; use a new key for a new request."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        return Response(row["response"], row["status"], {"Idempotent-Replayed": "true"}, "application/json")


def write_of(request: Request, key: IdempotencyKey = None) -> Write:
    """Return the write that a request asks for. Its app's state holds the database and the keys at work."""
    route, state = request.scope["route"], request.app.state
    assert isinstance(route, APIRoute)
    return Write(
        database=state.database,
        at_work=state.at_work,
        key=key.strip('"') if key else None,
        target=f"{request.method} {request.url.path}",
        operation=str(route.operation_id),
        status=route.status_code or HTTPStatus.OK,
    )


AsWrite = Annotated[Write, Depends(write_of)]
