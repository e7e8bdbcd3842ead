"""Errors as clients see them, in OpenAI's shape: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from agent.errors import SelfhelpError
from service.records.database import database_errors

INTERNAL = 500

log = logging.getLogger(__name__)
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class Failure(BaseModel):
    """What is wrong."""

    message: str = Field(description="What is wrong and what to do.", examples=["there is no such thread"])
    type: str = Field(description="Its kind, as OpenAI names kinds.", examples=["not_found_error"])
    param: str | None = Field(description="The field that is wrong, where it is one.", examples=[None])
    code: str | None = Field(description="A word that programs go by.", examples=["not_found"])


class Failed(BaseModel):
    """An error, in OpenAI's shape."""

    error: Failure = Field(description="What is wrong.")


# What every path may answer with.
FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failed, "description": "The request cannot be met."},
    "5XX": {"model": Failed, "description": "The service cannot meet any such request now."},
}


class Problem(HTTPException):
    """A request that cannot be met.

    Args:
        status: HTTP status.
        message: what is wrong and what to do.
        code: a word that programs go by.
        param: the field that is wrong, where it is one.
        headers: headers that go with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.param = param


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there, or is another's: the caller cannot tell which."""
    return Problem(404, f"there is no such {what}", code="not_found")


def problem_answer(problem: HTTPException) -> JSONResponse:
    """Return a problem as a response, for a middleware, which cannot raise it."""
    code, param = getattr(problem, "code", None), getattr(problem, "param", None)
    return _answer(problem.status_code, str(problem.detail), code, param, problem.headers)


def wrong_field(error: RequestValidationError) -> tuple[str | None, str]:
    """Return the field of a request that is wrong, where it is one, and what is wrong."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return None, f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
    place, *fields = first["loc"]
    param = ".".join(map(str, fields)) or None
    return param, f"{param or f'the {place}'}: {first['msg']}"


def database_is_away(error: Exception) -> Problem:
    """Return the problem of a database that cannot be used. What drivers say of it stays in the log."""
    cause = getattr(error, "orig", error)
    # What SQLite says holds no address.
    said = f"{type(cause).__name__}: {cause}" if isinstance(cause, sqlite3.Error) else type(cause).__name__
    log.error("the database cannot be used: %s", said)
    message = "the service's database cannot be used now: ask again soon"
    return Problem(503, message, code="unavailable", headers={"Retry-After": "5"})


def add_problems(app: FastAPI) -> None:
    """Have an app answer errors in this shape."""

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        param, message = wrong_field(error)
        return _answer(422, message, "invalid", param)

    async def away(_: Request, error: Exception) -> JSONResponse:
        return problem_answer(database_is_away(error))

    for kind in database_errors():
        app.add_exception_handler(kind, away)

    @app.exception_handler(SelfhelpError)
    async def selfhelp(_: Request, error: SelfhelpError) -> JSONResponse:
        return _answer(503, str(error), "unavailable")


def _answer(
    status: int, message: str, code: str | None, param: str | None = None, headers: object = None
) -> JSONResponse:
    kind = _TYPES.get(status, "server_error" if status >= INTERNAL else "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status, headers=headers)  # type: ignore[arg-type]
