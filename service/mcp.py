"""The assistant's tools, and the assistant itself as a tool, for MCP clients."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.context import Context, current
from agent.errors import SelfhelpError
from agent.planning.plan import Call
from agent.results import Numbering, shown
from agent.settings import Settings
from agent.steps import Steps
from agent.toolset import BoundTool, Toolset
from service.conversation import Answer, Conversation, Desk, Question
from service.doubts import doubt
from tools.registry import loader

ASK = "ask"
LOOPBACK = "127.0.0.1"


class Asked(BaseModel):
    """Arguments of `ask`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    question: str = Field(min_length=1, description="The question, or what is to be done.")
    thread: str | None = Field(None, description="The thread to carry on; a new one by default.")


ASK_TOOL = types.Tool(
    name=ASK,
    description="Ask the assistant, which searches its documents, calls its own tools and answers with sources.",
    input_schema=Asked.model_json_schema(),
    annotations=types.ToolAnnotations(read_only_hint=False),
)
Handled = ServerRequestContext[Any]


async def serve_stdio(settings: Settings, *, writes: bool) -> None:
    """Serve MCP over standard input and output until the input ends.

    Args:
        settings: the settings.
        writes: whether tools that write are served too. The client is then who asks a person.
    """
    async with Desk(settings) as desk:
        server = _server(Shelf(settings, desk, writes=writes))
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


async def serve_http(settings: Settings, port: int, *, writes: bool) -> None:
    """Serve MCP by streamable HTTP, to programs of this machine only.

    Args:
        settings: the settings.
        port: port on the loopback address.
        writes: whether tools that write are served too.
    """
    import uvicorn

    async with Desk(settings) as desk:
        app = _server(Shelf(settings, desk, writes=writes)).streamable_http_app(host=LOOPBACK)
        await uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_config=None)).serve()


class Shelf:
    """What is served.

    Args:
        settings: the settings.
        desk: answers questions.
        writes: whether tools that write are served.
    """

    def __init__(self, settings: Settings, desk: Desk, *, writes: bool) -> None:
        self._settings = settings
        self._desk = desk
        self._writes = writes
        self._load = loader(())

    async def tools(self) -> dict[str, BoundTool]:
        """Return the tools that are served beside `ask`, by name."""
        tools = await self._load(self._settings)
        return {
            tool.name: tool
            for tool in tools
            if tool.name != ASK and not tool.writes_reply and (self._writes or tool.effect == "read")
        }

    async def call(self, name: str, args: dict[str, Any]) -> types.CallToolResult:
        """Run a tool. What goes wrong is told in the result."""
        try:
            if name == ASK:
                return await self._ask(Asked.model_validate(args))
            tool = (await self.tools()).get(name)
            if tool is None:
                return _result(f"there is no tool {name!r}: tools/list names them", is_error=True)
            return await self._run(tool, args)
        except ValidationError as invalid:
            problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors()]
            return _result("; ".join(problems), is_error=True)
        except SelfhelpError as error:
            return _result(str(error), is_error=True)

    async def _run(self, tool: BoundTool, args: dict[str, Any]) -> types.CallToolResult:
        context = Context().over(self._settings.layer())
        current.set(context)
        steps = Steps(Toolset([tool]), context, lambda _: None, round_number=1)
        outcome = await steps.run_with(Call(1, uuid4().hex, tool.name, args), args)
        if outcome["error"]:
            return _result(outcome["error"], is_error=True)
        value = outcome["value"]
        if outcome["passages"]:
            numbering = Numbering({})
            return _result("\n\n".join(shown(numbering.number(passage)) for passage in value))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return _result(text, value if isinstance(value, dict) else None)

    async def _ask(self, asked: Asked) -> types.CallToolResult:
        # Where writes are not served, the assistant's own wait for a person whatever the settings say.
        context = Context() if self._writes else Context(approvals={"*": "always"})
        named = {"thread": asked.thread} if asked.thread else {}
        conversation = Conversation(self._desk.graph, context, **named)
        async for event in conversation.turn(asked.question):
            outcome = event
        if isinstance(outcome, Question):
            wishes = "\n\n".join(action["description"] for action in outcome.actions)
            hint = f"This waits for a person: selfhelp approve --thread {conversation.thread}"
            return _result(f"{hint}\n\n{wishes}", {"waiting": outcome.actions, "thread": conversation.thread})
        assert isinstance(outcome, Answer), "a turn ends in an answer or a question"
        lines = [f"[{source['number']}] {source['title']}: {source['uri']}" for source in outcome.sources]
        lines += [f"Doubtful: {doubt(flag)}" for flag in outcome.flags]
        found = {"answer": outcome.text, "sources": outcome.sources, "flags": outcome.flags}
        found["thread"] = conversation.thread
        return _result("\n".join([outcome.text, *lines]), found)


def _server(shelf: Shelf) -> Server[Any]:
    async def list_tools(_: Handled, _page: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[ASK_TOOL, *map(_described, (await shelf.tools()).values())])

    async def call_tool(_: Handled, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await shelf.call(params.name, params.arguments or {})

    return Server("selfhelp", version=version("selfhelp"), on_list_tools=list_tools, on_call_tool=call_tool)


def _described(tool: BoundTool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.function.get("description"),
        input_schema=dict(tool.parameters),
        annotations=types.ToolAnnotations(read_only_hint=tool.effect == "read"),
    )


def _result(text: str, structured: dict[str, Any] | None = None, *, is_error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=text)]
    return types.CallToolResult(content=content, structured_content=structured, is_error=is_error)
