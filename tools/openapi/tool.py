"""The LangChain tool of one operation."""

from __future__ import annotations

from typing import Any, Never

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from agent.apis import Credential
from agent.effects import idempotency_key
from tools.openapi.answers import Answers
from tools.openapi.calls import Caller
from tools.openapi.credentials import placeholders, read_secrets
from tools.openapi.requests import Requests


class Preview:
    """Shows the HTTP request that a call makes, without the credentials' values.

    Args:
        requests: makes the requests of the operation.
        credentials: what it is called with.
        writes: whether an idempotency key goes with it.
    """

    def __init__(self, requests: Requests, credentials: tuple[Credential, ...], *, writes: bool) -> None:
        self._requests = requests
        self._secrets = placeholders(credentials)
        self._writes = writes

    def __call__(self, args: dict[str, Any]) -> str:
        """Return the request for these arguments."""
        return self._requests.preview(args, self._secrets, idempotency_key.get() if self._writes else None)


class OperationTool(BaseTool):
    """Calls one operation of an API."""

    _requests: Requests = PrivateAttr()
    _answers: Answers = PrivateAttr()
    _caller: Caller = PrivateAttr()
    _credentials: tuple[Credential, ...] = PrivateAttr(default=())

    @classmethod
    def of(
        cls, requests: Requests, answers: Answers, caller: Caller, credentials: tuple[Credential, ...], **shown: Any
    ) -> OperationTool:
        """Return the tool of an operation.

        Args:
            requests: makes its requests.
            answers: reads its answers.
            caller: sends them.
            credentials: what it is called with.
            shown: name, description and metadata.
        """
        tool = cls(args_schema=requests.inputs.schema, **shown)
        tool._requests, tool._answers = requests, answers
        tool._caller, tool._credentials = caller, credentials
        preview = Preview(requests, credentials, writes=not tool.reads)
        tool.metadata = {**(tool.metadata or {}), "preview": preview}
        return tool

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return (self.metadata or {}).get("effect") == "read"

    # Positional only: an argument of the operation may be called `self`, or `config`.
    async def _arun(self, /, **args: Any) -> Any:
        request = self._requests.request(args, None if self.reads else idempotency_key.get())
        secrets = read_secrets(self._credentials)
        async with self._caller.answered(request, secrets, follows=self.reads) as response:
            return await self._answers.value(response, secrets)

    def _run(self, /, **_args: Any) -> Never:
        raise NotImplementedError(f"{self.name} waits for a server: call it with ainvoke")
