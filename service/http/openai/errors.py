"""Errors with the statuses from which OpenAI's clients choose their exceptions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from service.http.problems import Problem, wrong_field

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Refused = Mapping[str, tuple[tuple[Any, ...], str]]


class OpenAIRoute(APIRoute):
    """A route on which a malformed request is a 400, as with OpenAI, where others of this service say 422."""

    def get_route_handler(self) -> Handler:
        """Return the handler of the route."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as invalid:
                param, message = wrong_field(invalid)
                raise bad_request(param, message, code="invalid") from None

        return handled


def bad_request(param: str | None, message: str, *, code: str) -> Problem:
    """Return the problem of a request that is wrong in one field.

    Args:
        param: the field.
        message: what is wrong and what to do.
        code: a word that programs go by.
    """
    return Problem(400, message, code=code, param=param)


def refuse(given: Mapping[str, Any] | None, refused: Refused) -> None:
    """Refuse a request that asks for what the answer could not keep to.

    Args:
        given: fields of the request beside those that are known.
        refused: by field, the values of it that ask for nothing, and what to do instead.

    Raises:
        Problem: the request asks for such a thing.
    """
    for param, value in (given or {}).items():
        harmless, instead = refused.get(param, ((value,), ""))
        if value is not None and value not in harmless:
            raise bad_request(param, f"{param} is not supported: {instead}", code="unsupported_parameter")


def turn_failed(status: int, message: str, code: str) -> Problem:
    """Return the problem of a turn that failed. Clients are told not to try it again: writes of it may be done.

    Args:
        status: HTTP status.
        message: what went wrong.
        code: a word that programs go by.
    """
    return Problem(status, message, code=code, headers={"x-should-retry": "false"})


def error_of(problem: Problem) -> dict[str, Any]:
    """Return the error that ends a stream, where it is too late for a status."""
    return {"message": problem.detail, "type": "server_error", "param": problem.param, "code": problem.code}
