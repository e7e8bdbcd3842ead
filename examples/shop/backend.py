"""The shop's backend: an HTTP API with an OpenAPI document over its database. The README says how to start it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from . import ledger
from .backend_routes import reads, writes
from .idempotency import KeysAtWork
from .problems import Refused, answer_with_problems, documented

_bearer = HTTPBearer(auto_error=False, description="The value of SHOP_TOKEN, where the backend was started with one")


def create_app(database: Path) -> FastAPI:
    """Make the backend over an orders database, which it makes or extends where needed.

    Where the environment has a SHOP_TOKEN, every operation wants it as the bearer token.

    Args:
        database: file of the database.
    """
    ledger.prepare(database)
    app = FastAPI(
        title="Larkmoor Outdoor",
        version="1.0.0",
        summary="Customers, orders, refunds and stock of an invented shop",
        description="Amounts are in EUR, with at most two decimals. Refused requests have no effect.",
        dependencies=[Depends(_only_with(os.environ.get("SHOP_TOKEN")))],
        responses=documented(HTTPStatus.UNAUTHORIZED),
    )
    app.state.database = database
    app.state.at_work = KeysAtWork()
    app.include_router(reads)
    app.include_router(writes)
    answer_with_problems(app)
    return app


def main() -> None:
    """Serve the backend on loopback, as the command line says."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m examples.shop.backend", description="Serve the example shop.")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file; made if there is none")
    parser.add_argument("--port", type=int, default=8042, help="port on 127.0.0.1 (default: 8042)")
    arguments = parser.parse_args()
    uvicorn.run(create_app(arguments.database), host="127.0.0.1", port=arguments.port)


def _only_with(token: str | None) -> Callable[..., None]:
    """A check that lets a request through if it brings the token, or if there is none."""

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if token and not (given and compare_digest(given.credentials.encode(), token.encode())):
            raise Refused(HTTPStatus.UNAUTHORIZED, "Send the shop's token: Authorization: Bearer and the token.")

    return check


if __name__ == "__main__":
    main()
