"""The baseline: LangChain's agent loop on the same tools and models, with a model call after every round of tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    ToolErrorMiddleware,
)
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Command

from agent.budgets import BudgetSpent
from agent.consent import Edit, Reject, Respond, Write, ask, needs_consent
from agent.context import Context, current
from agent.knowledge.base import KnowledgeBase
from agent.planning.plan import Call
from agent.run import Assistant, Run
from agent.settings import Settings
from agent.state import rounds_of
from agent.toolset import BoundTool
from agent.usage import begun_call
from tools.registry import loader


class OpenedRun(AgentMiddleware[AgentState[Any], Context]):
    """Gives each model call and each tool call what the run's context asks for: model, persona and tools.

    Args:
        assistant: opens the run.
    """

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant

    async def awrap_model_call(
        self, request: ModelRequest[Context], handler: Callable[[ModelRequest[Context]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Ask the first model of the run's chain, with the run's tools bound. What it uses is recorded and limited."""
        run = await self._open(request.runtime.context, request.messages)
        model = await run.models[0]()
        tools = [bound for bound in run.tools if not bound.writes_reply]
        prompt = SystemMessage(run.persona.prompt)
        options = {"tools": [bound.shown for bound in tools]}
        most = model.most_output(run.context.max_tokens) if run.account.limits else 0
        made = begun_call("model", rounds_of(request.messages) + 1, model.name)
        try:
            await run.account.begin(made, [prompt, *request.messages], options, most)
        except BudgetSpent as error:
            return ModelResponse([AIMessage(str(error))])
        asked = request.override(model=model.chat, tools=[bound.tool for bound in tools], system_message=prompt)
        try:
            response = await handler(asked.override(model_settings={"max_tokens": most}) if most else asked)
        except BaseException as error:
            run.account.drop(made, None, error)
            raise
        done = [await run.account.finish(made, reply) for reply in response.result if isinstance(reply, AIMessage)]
        await run.account.keep(done)
        return response

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """Call the run's tool of that name, once a person has agreed where one is asked.

        LangChain answers for a tool that there is not.
        """
        run = await self._open(request.runtime.context, request.state["messages"])
        bound = run.tools.get(request.tool_call["name"])
        if bound is None:
            return await handler(request)
        request = request.override(tool=bound.tool)
        if not needs_consent(bound, run.context.approvals):
            return await handler(request)
        answered = await consented(request.tool_call, bound)
        return answered if isinstance(answered, ToolMessage) else await handler(request.override(tool_call=answered))

    async def _open(self, context: Context | None, messages: Sequence[AnyMessage]) -> Run:
        run = await self._assistant.run(context)
        current.set(run.context)
        return await run.fitting(messages)


async def consented(call: ToolCall, tool: BoundTool) -> ToolCall | ToolMessage:
    """Ask a person about a write, and return the call to make or what stands in for its result.

    Args:
        call: the call.
        tool: its tool.

    Raises:
        GraphInterrupt: there is no answer yet.
    """
    [decision] = await ask([Write(Call(1, str(call["id"]), tool.name, call["args"]), tool, call["args"])])
    if isinstance(decision, Edit):
        return {**call, "args": decision.edited_action.args}
    if isinstance(decision, Respond):
        return ToolMessage(decision.message, tool_call_id=call["id"], name=tool.name)
    if isinstance(decision, Reject):
        return ToolMessage(decision.told, tool_call_id=call["id"], name=tool.name, status="error")
    return call


def build(
    *,
    model: BaseChatModel | None = None,
    tools: Sequence[BaseTool] | None = None,
    knowledge: KnowledgeBase | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    store: BaseStore | None = None,
    settings: Settings | None = None,
) -> CompiledStateGraph[Any, Context, Any, Any]:
    """Build the baseline with the arguments of `graphs.assistant.build`. It runs asynchronously only.

    Of the context, it follows model, temperature, max_tokens, persona, tools, shown_tools, approvals, collection and
    top_k. Writes are asked about, but a run that is killed may repeat them: that they happen once is the assistant's.
    """
    return create_agent(
        cast(BaseChatModel, init_chat_model()),  # stands in for the run's own
        middleware=[
            ToolErrorMiddleware(lambda error, _: f"{type(error).__name__}: {error}"),
            OpenedRun(Assistant(loader(tools or (), knowledge), model, settings)),
        ],
        context_schema=Context,
        checkpointer=checkpointer,
        store=store,
        name="react",
    )


graph = build()
