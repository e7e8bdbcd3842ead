"""What the backend answers to a request that it refuses: a problem document (RFC 9457)."""

from __future__ import annotations

import sqlite3
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Why a request was refused. A refused request has no effect."""

    status: int = Field(description="HTTP status code", examples=[404])
    title: str = Field(description="Name of the HTTP status", examples=["Not Found"])
    detail: str = Field(description="What is wrong and what to do", examples=["There is no order 9."])


class Refused(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        detail: what is wrong and what to do.
    """

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the part of an operation's OpenAPI description that is about its refusals."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


def answer_with_problems(app: FastAPI) -> None:
    """Make an app answer every refusal and failure with a problem document."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(sqlite3.OperationalError, _busy)
    app.add_exception_handler(Exception, _failed)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    problem = Problem(status=status, title=HTTPStatus(status).phrase, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    unauthorized = error.status == HTTPStatus.UNAUTHORIZED
    return _problem(error.status, error.detail, {"WWW-Authenticate": "Bearer"} if unauthorized else None)


def _unrouted(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, str(error.detail), dict(error.headers or {}))


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults))


def _busy(_: Request, error: Exception) -> JSONResponse:
    detail = f"The database cannot be used now ({error}); nothing was done. Try again."
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"})


def _failed(_: Request, error: Exception) -> JSONResponse:
    detail = f"The shop failed with {type(error).__name__}; nothing was done. Its log says more."
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
