"""One streamed reply of a model: reads start while it streams, and the next model is asked when one fails."""

from __future__ import annotations

import asyncio
import string
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, SystemMessage, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.runnables import RunnableConfig

from agent.answer import AnswerCheck, answer_check
from agent.budgets import BudgetSpent
from agent.context import Effort
from agent.errors import BrokenReply, ModelUnavailable, SelfhelpError
from agent.history import remembered
from agent.models.failures import explained
from agent.models.providers import Model
from agent.planning.dag import Dag
from agent.planning.plan import MOST_CALLS, Call
from agent.planning.reader import CallReader
from agent.run import Run
from agent.state import ModelCall, Outcome, Summary, question_of, records_of, rounds_of
from agent.steps import Emit, Steps
from agent.usage import begun_call

ATTEMPTS = 2
PLANNER = "planner"

_SIGNS = string.punctuation + string.whitespace

ALOUD = RunnableConfig()
# LangGraph streams no tokens of a call with this tag.
QUIET = RunnableConfig(tags=["nostream"])


@dataclass
class Reply:
    """A model's reply.

    Args:
        message: the reply as the thread keeps it.
        check: what it cited, and how much was removed.
        ahead: read steps of its plan that are under way already.
    """

    message: AIMessage
    check: AnswerCheck
    ahead: Dag

    @property
    def asks_for_calls(self) -> bool:
        """Whether the reply is a plan rather than an answer."""
        return bool(self.message.tool_calls or self.message.invalid_tool_calls)


@dataclass(frozen=True)
class Asker:
    """Asks the models of a run, one after the other until one replies.

    Args:
        run: the run.
        node: the node that asks, for the record of usage.
        emit: takes step events.
        summary: what the prompt holds in the place of the thread's old turns.
        told: what the model is told to write instead of an answer.
        aloud: whether the reply is streamed to the person as it comes.
        calls: the model calls that were made, also those that came to nothing.
    """

    run: Run
    node: str
    emit: Emit
    summary: Summary | None = None
    told: str | None = None
    aloud: bool = True
    calls: list[ModelCall] = field(default_factory=list)

    async def ask(self, messages: Sequence[AnyMessage]) -> Reply:
        """Ask for a reply: a plan or an answer, or only an answer once the rounds of the turn are used up.

        Args:
            messages: the conversation.

        Raises:
            BudgetSpent: a budget allows no call of a model that could be reached.
            ModelUnavailable: no model gave a usable reply. The message says why, model by model.
        """
        failures: list[str] = []
        spent: BudgetSpent | None = None
        for open_model in self.run.models:
            try:
                model = await open_model()
            except SelfhelpError as error:
                failures.append(str(error))
                continue
            for _ in range(ATTEMPTS):
                try:
                    return await self._stream(model, messages)
                except BudgetSpent as error:  # a cheaper model may keep to it
                    spent = spent or error
                    break
                except BrokenReply as error:
                    failures.append(f"{model.name}: {error}")
                except Exception as error:  # noqa: BLE001  a provider raises what it likes; the next model may work
                    failures.append(f"{model.name}: {explained(error)}")
                    break
        if spent:
            raise spent
        raise ModelUnavailable("; ".join(dict.fromkeys(failures)))

    async def _stream(self, model: Model, messages: Sequence[AnyMessage]) -> Reply:
        check = answer_check(messages, self.run)
        rounds = rounds_of(messages)
        answer_only = self.told is not None or rounds >= (self.run.context.max_rounds or model.rounds)
        most = model.most_output(self.run.context.max_tokens) if self.run.account.limits else None
        speaker = model.speaker(
            self.run.tools, check, messages, answer_only=answer_only, effort=self._effort, most=most
        )
        last_word = [SystemMessage(self.told or model.last_word(question_of(messages)))] if answer_only else []
        history = remembered(messages, self.summary, self.run.context, model.window)
        prompt = [self.run.system(model), *history, *last_word]
        steps = Steps(self.run.tools, self.run.context, self.emit, rounds + 1)
        ahead = Dag(steps.run, _start_now)
        reader = CallReader(records_of(messages).values())
        chunks: list[AIMessageChunk] = []
        made = begun_call(self.node, rounds + 1, model.name)
        await self.run.account.begin(made, prompt, speaker.options, most or 0)
        try:
            async for chunk in speaker.astream(prompt, ALOUD if self.aloud else QUIET):
                chunks.append(chunk)
                for call in reader.feed(chunk):
                    self._start(call, ahead)
            message = _settled(chunks, reader, answer_only=answer_only)
        except BaseException as error:
            ahead.cancel()
            await self._broken_off(made, chunks, error)
            if chunks and isinstance(error, Exception) and not isinstance(error, BrokenReply):
                raise BrokenReply(explained(error)) from error
            raise
        self.calls.append(await self.run.account.finish(made, message))
        return Reply(message, check, ahead)

    async def _broken_off(self, made: ModelCall, chunks: list[AIMessageChunk], error: BaseException) -> None:
        """Record a call that broke off, as far as its provider counted it."""
        came = _whole(chunks) if chunks else None
        if isinstance(error, Exception) and came and came.usage_metadata:
            self.calls.append(await self.run.account.finish(made, came))
        else:
            self.run.account.drop(made, came, error)

    @property
    def _effort(self) -> Effort | None:
        context = self.run.context
        return (context.planning_effort if self.node == PLANNER else None) or context.effort

    def _start(self, call: Call, ahead: Dag) -> None:
        """Start a call of the plan while the plan still streams, if it only reads and so do all the calls it needs."""
        tool = self.run.tools.get(call.tool)
        if tool is None or tool.effect != "read" or tool.writes_reply or call.number > MOST_CALLS:
            return
        if all(number in ahead for number in call.depends) and not any(call.problems(self.run.tools)):
            ahead.add(call)


def _start_now(work: Callable[[], Awaitable[Outcome]]) -> asyncio.Future[Outcome]:
    return asyncio.ensure_future(work())


_ahead: dict[str, Dag] = {}


def hand_over(reply: Reply) -> None:
    """Keep the steps that run ahead for the executor, for as long as the run keeps the reply's message."""
    if reply.message.id:
        _ahead[reply.message.id] = reply.ahead
        weakref.finalize(reply.message, _ahead.pop, reply.message.id, None)


def claim(message: AIMessage) -> Dag | None:
    """Take over the steps of a reply that run ahead, if this process started any."""
    return _ahead.pop(message.id or "", None)


def _settled(chunks: list[AIMessageChunk], reader: CallReader, *, answer_only: bool) -> AIMessage:
    """Return the whole reply.

    Raises:
        BrokenReply: it holds no calls, and no text but signs, as small models write at times.
    """
    if not chunks:
        raise BrokenReply("the model's reply is empty")
    message = _whole(chunks)
    message.tool_calls, message.invalid_tool_calls = reader.calls()
    if answer_only or "broken_off" in message.response_metadata:
        message = message.model_copy(update={"content": str(message.text), "tool_calls": [], "invalid_tool_calls": []})
    if not (str(message.text).strip(_SIGNS) or message.tool_calls or message.invalid_tool_calls):
        raise BrokenReply("the model's reply is empty")
    return message


def _whole(chunks: list[AIMessageChunk]) -> AIMessage:
    message = message_chunk_to_message(add_ai_message_chunks(*chunks))
    assert isinstance(message, AIMessage), "the sum of AI chunks is an AI message"
    return message
