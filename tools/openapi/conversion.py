"""From a document's operations to tools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from langchain_core.tools import BaseTool

from agent.apis import ApiSettings, Credential
from tools.openapi.answers import Answers
from tools.openapi.calls import Caller
from tools.openapi.credentials import hidden_parameters, needed
from tools.openapi.descriptions import description, result, wanted_name
from tools.openapi.errors import ApiFailed, Unusable
from tools.openapi.inputs import Inputs, inputs
from tools.openapi.names import distinct
from tools.openapi.operations import Operation, Skipped, operations
from tools.openapi.requests import Requests
from tools.openapi.servers import Servers, origin
from tools.openapi.tool import OperationTool

KEY_HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class _Convertible:
    """An operation with all that its tool is made of but its name."""

    operation: Operation
    inputs: Inputs
    base_url: str
    credentials: tuple[Credential, ...]
    honours_key: bool


def converted(servers: Servers, base_url: str, caller: Caller) -> tuple[list[BaseTool], list[Skipped]]:
    """Return the tools of a document's operations, and the operations that became none.

    Args:
        servers: the document and its servers.
        base_url: the address that its paths are relative to.
        caller: sends the requests.

    Raises:
        ApiFailed: the settings name operations that are not there.
    """
    skipped: list[Skipped] = []
    found: list[_Convertible] = []
    for each in operations(servers.document):
        if isinstance(each, Skipped):
            skipped.append(each)
            continue
        try:
            found.append(_convertible(each, servers, base_url))
        except Unusable as error:
            skipped.append(Skipped(each.name, str(error)))
        except RecursionError:
            skipped.append(Skipped(each.name, "it is nested too deeply"))
    _check_settings(servers.settings, found)
    caller = replace(caller, origins=caller.origins | {origin(each.base_url) for each in found})
    return list(_tools(servers, found, caller)), skipped


def _convertible(operation: Operation, servers: Servers, base_url: str) -> _Convertible:
    settings, document = servers.settings, servers.document
    if (settings.include and not operation.is_one_of(settings.include)) or operation.is_one_of(settings.exclude):
        raise Unusable("left out by include and exclude")
    key_header = (settings.idempotency or KEY_HEADER).lower()
    declared = {(each["in"], each["name"].lower()) for each in operation.parameters(document)}
    return _Convertible(
        operation,
        inputs(document, operation, {("header", key_header), *hidden_parameters(settings)}),
        servers.of(operation, base_url),
        needed(document, operation, settings),
        honours_key=settings.idempotency is not None or ("header", key_header) in declared,
    )


def _tools(servers: Servers, found: list[_Convertible], caller: Caller) -> Iterator[BaseTool]:
    settings = servers.settings
    names = distinct([wanted_name(each.operation) for each in found])
    for each, name in zip(found, names, strict=True):
        operation = each.operation
        key_header = settings.idempotency or KEY_HEADER
        gives = result(servers.document, operation)
        undo = next((by for write, by in settings.undo.items() if operation.is_one_of([write])), None)
        yield OperationTool.of(
            Requests(operation.method, operation.path, each.base_url, each.inputs, key_header),
            Answers(operation.name, each.inputs, gives.paged, "text/html" in gives.media_types),
            caller,
            each.credentials,
            name=name,
            description=description(operation, gives),
            metadata={
                "effect": _effect(operation, settings),
                "catalogue": settings.name,
                "tags": operation.tags,
                "operation": operation.name,
                "honours_key": each.honours_key,
                "always": operation.is_one_of(settings.always),
                "undo": next(
                    (to for other, to in zip(found, names, strict=True) if undo and other.operation.is_one_of([undo])),
                    None,
                ),
            },
        )


def _effect(operation: Operation, settings: ApiSettings) -> str:
    said = next((effect for name, effect in settings.effects.items() if operation.is_one_of([name])), None)
    return said or ("read" if operation.reads else "write")


def _check_settings(settings: ApiSettings, found: list[_Convertible]) -> None:
    """See that what the settings say of operations is said of ones that are there."""
    of_one = [*settings.effects, *settings.undo, *settings.undo.values(), *settings.always]
    unknown = [name for name in of_one if not any(each.operation.is_one_of([name]) for each in found)]
    if unknown:
        raise ApiFailed(
            f"{settings.spec} has no usable operation {', '.join(map(repr, unknown))}: effects, undo and always of the "
            f"API {settings.name!r} take an operationId or METHOD /path"
        )
    reads = [each.operation for each in found if _effect(each.operation, settings) == "read"]
    for name in settings.undo.values():
        if any(operation.is_one_of([name]) for operation in reads):
            raise ApiFailed(f"undo of the API {settings.name!r} names {name!r}, which reads: what undoes is a write")
