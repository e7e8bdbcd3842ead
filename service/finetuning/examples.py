"""One example of each thread: the system prompt and tools of its run, and what was said up to its last good answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from langchain_core.messages import AnyMessage
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.context import Context
from agent.prompts import system_prompt
from agent.run import Assistant, Run
from service.finetuning.chat import ChatMessage, NotUsable, Turn, chat_messages, numbered, turns_of
from service.finetuning.masking import Masker, Masking
from service.finetuning.rules import problems_of
from service.finetuning.selection import Liked, Opinion, contexts_of
from service.finetuning.validation import MOST_TOKENS, tokens_of
from service.threads.history import History


@dataclass(frozen=True)
class Example:
    """An example and where it comes from.

    Args:
        thread_id: the thread.
        persona: who spoke.
        opinions: the opinions of the answers in it that are to be learnt, in the order of the thread.
        question: what the thread begins with: a copy of a thread begins with the same.
        content: the example.
        masked: how many different things were masked, by what they are.
        left_out: how many turns at its beginning were left out, because they would not fit.
    """

    thread_id: str
    persona: str
    opinions: Sequence[Opinion]
    question: str
    content: dict[str, Any]
    masked: dict[str, int]
    left_out: int = 0


@dataclass(frozen=True)
class Examples:
    """Makes examples of threads.

    Args:
        database: the service's database.
        history: reads the threads.
        assistant: gives the persona and the tools of a run.
        masking: what personal data is looked for; None where it is left in.
    """

    database: AsyncEngine
    history: History
    assistant: Assistant
    masking: Masking | None

    async def persona(self, thread: Liked) -> str:
        """Return the name of the persona of a thread's last good answer.

        Raises:
            NotUsable: there is no such answer any more.
        """
        return (await self._run(thread, await self._turns(thread))).persona.name

    async def example(self, thread: Liked) -> Example:
        """Return the example of a thread.

        Raises:
            NotUsable: none can be made of it.
        """
        turns = await self._turns(thread)
        run = await self._run(thread, turns)
        pseudo = [tool.name for tool in run.tools if tool.writes_reply]
        numbers = count(1)
        said = [numbered(_chat(turn, thread, pseudo), numbers) for turn in turns]
        tools = [{"type": "function", "function": tool.shown} for tool in run.tools]
        masker = Masker(self.masking) if self.masking else None
        prompt = system_prompt(run.persona, run.tools, json_plans=False)
        content, left_out = _fitting(prompt, [_masked(turn, masker) for turn in said], tools)
        if problem := next(problems_of(content), None):
            raise NotUsable(problem)
        opinions = [opinion for turn in turns if (opinion := _opinion(turn, thread))]
        counts = masker.counts if masker else {}
        question = str(turns[0].question.text)
        return Example(thread.thread_id, run.persona.name, opinions, question, content, counts, left_out)

    async def _turns(self, thread: Liked) -> list[Turn]:
        """Return the turns of a thread up to its last good answer."""
        messages: Sequence[AnyMessage] = (await self.history.values(thread.thread_id)).get("messages", ())
        turns = list(turns_of(messages))
        last = max((place for place, turn in enumerate(turns, 1) if _opinion(turn, thread)), default=0)
        if not last:
            raise NotUsable("the answer that was liked is not in the thread any more")
        return turns[:last]

    async def _run(self, thread: Liked, turns: Sequence[Turn]) -> Run:
        contexts = await contexts_of(self.database, thread)
        given = contexts.get(str(turns[-1].question.id), Context())
        if thread.persona and "persona" not in given.model_fields_set:
            given = Context(**given.model_dump(exclude_unset=True) | {"persona": thread.persona})
        run = await self.assistant.run(given)
        messages = [message for turn in turns for message in (turn.question, *turn.replies)]
        return replace(run, tools=await run.catalogues.fitting(run.tools, messages, run.context.shown_tools))


def _opinion(turn: Turn, thread: Liked) -> Opinion | None:
    """Return the good opinion of a turn's answer, if there is one."""
    return thread.opinions.get(str(turn.answer.id)) if turn.answer else None


def _chat(turn: Turn, thread: Liked, pseudo: Sequence[str]) -> list[ChatMessage]:
    opinion = _opinion(turn, thread)
    correction = opinion.correction if opinion else ""
    return chat_messages(turn, good=opinion is not None, correction=correction, pseudo=pseudo)


def _masked(messages: list[ChatMessage], masker: Masker | None) -> list[ChatMessage]:
    if masker is None:
        return messages
    return [masker.message(message) for message in messages]


def _fitting(prompt: str, turns: list[list[ChatMessage]], tools: list[Any]) -> tuple[dict[str, Any], int]:
    """Return an example with as many of the latest turns as a hosted model can be trained on."""
    system = {"role": "system", "content": prompt}
    for left_out in range(len(turns)):
        messages = [system, *chain.from_iterable(turns[left_out:])]
        content: dict[str, Any] = {"messages": messages, "tools": tools, "parallel_tool_calls": True}
        if tokens_of(content) <= MOST_TOKENS:
            return content, left_out
    raise NotUsable(f"its last turn alone has more than {MOST_TOKENS:,} tokens")
