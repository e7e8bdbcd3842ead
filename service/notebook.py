"""The assistant in a notebook: a thread to talk in, and answers that show their plan and sources."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from markdown_it import MarkdownIt

from agent.background import in_background
from agent.context import Context
from agent.state import Source, Step, Usage
from graphs.assistant import AssistantGraph, build
from service.conversation import Answer, Conversation, Event, Question
from service.doubts import doubt

COLOURS = {"finished": "#0f766e", "failed": "#dc2626", "rejected": "#dc2626"}
WAITED = "#94a3b8"
# Pixels of the picture of a plan.
WIDTH, LABELS, ROW = 720, 220, 22

# What stands in an answer is nobody's to run: markup is shown as text, and links are not followed.
_markdown = MarkdownIt("commonmark", {"html": False}).disable(["image", "link", "autolink"])


@dataclass(frozen=True)
class Shown:
    """An answer that shows itself: the text, the plan as a time line, the sources to fold out, and what it used.

    Args:
        answer: the answer.
    """

    answer: Answer

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.answer.text

    @property
    def plan(self) -> list[Step]:
        """The turn's steps."""
        return self.answer.plan

    @property
    def sources(self) -> list[Source]:
        """The passages that it cites."""
        return self.answer.sources

    @property
    def usage(self) -> Usage:
        """What the turn used."""
        return self.answer.usage

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        doubts = (f"<p><small>⚑ {escape(doubt(flag))}</small></p>" for flag in self.answer.flags)
        shown = (_markdown.render(self.text), *doubts, timeline(self.plan), *map(_source, self.sources))
        parts = [*shown, _used(self.usage)]
        return f'<div class="selfhelp">{"".join(parts)}</div>'


@dataclass(frozen=True)
class Waiting:
    """Writes that wait for a person.

    Args:
        question: what is asked.
    """

    question: Question

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The writes, each with name, arguments and the exact request."""
        return self.question.actions

    def _repr_html_(self) -> str:
        requests = "".join(f"<pre>{escape(action['description'])}</pre>" for action in self.actions)
        return f'<div class="selfhelp"><p><b>Waits for you to decide:</b></p>{requests}</div>'


class Chat:
    """A thread, for synchronous callers such as a notebook, whose own event loop it leaves alone.

    Args:
        assistant: an assistant with a checkpointer; one that keeps threads in memory where None.
        thread: id of the thread to carry on; a new one where None.
        context: how its turns run.
    """

    def __init__(
        self, assistant: AssistantGraph | None = None, *, thread: str | None = None, context: Context | None = None
    ) -> None:
        graph = assistant or build(checkpointer=InMemorySaver())
        named = {"thread": thread} if thread else {}
        self._conversation = Conversation(graph, context or Context(), **named)

    @property
    def thread(self) -> str:
        """The thread's id."""
        return self._conversation.thread

    @property
    def config(self) -> Any:
        """What names the thread to LangGraph: `assistant.get_state(chat.config)`."""
        return self._conversation.config

    def ask(self, question: str) -> Shown | Waiting:
        """Ask, and return the answer, or the writes that wait to be decided.

        Args:
            question: what the person says.
        """
        return _shown(in_background(_last(self._conversation.turn(question))))

    def decide(self, waiting: Waiting, decisions: Sequence[dict[str, Any]]) -> Shown | Waiting:
        """Go on where writes waited.

        Args:
            waiting: what was asked.
            decisions: one for each write, in order, such as `{"type": "approve"}`.
        """
        return _shown(in_background(_last(self._conversation.decide(waiting.question, decisions))))

    def _repr_html_(self) -> str:
        messages = in_background(self._conversation.messages())
        said = [(m.type, str(m.text)) for m in messages if m.type in ("human", "ai") and str(m.text).strip()]
        rows = "".join(
            f"<p><b>{'You' if who == 'human' else 'Selfhelp'}</b></p>{_markdown.render(t)}" for who, t in said
        )
        return f'<div class="selfhelp">{rows}</div>'


def timeline(plan: Sequence[Step]) -> str:
    """Draw a plan as SVG: a bar for each step, from its start to its end.

    Args:
        plan: the turn's steps.
    """
    ran = [step for step in plan if step["started"] is not None and step["ended"] is not None]
    if not ran:
        return ""
    begin = min(float(step["started"] or 0) for step in ran)
    seconds = max(float(step["ended"] or 0) for step in ran) - begin or 0.001
    scale = (WIDTH - LABELS - 80) / seconds
    rows = "".join(_row(place, step, begin, scale) for place, step in enumerate(plan))
    size = f'width="{WIDTH}" height="{ROW * len(plan)}" viewBox="0 0 {WIDTH} {ROW * len(plan)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">{rows}</svg>'


def _row(place: int, step: Step, begin: float, scale: float) -> str:
    middle = ROW * place + 15
    label = f'<text x="0" y="{middle}" fill="currentColor">{step["number"]} {escape(step["tool"])}</text>'
    if step["started"] is None or step["ended"] is None:
        return f'{label}<text x="{LABELS}" y="{middle}" fill="{WAITED}">{escape(step["status"])}</text>'
    left, width = LABELS + (step["started"] - begin) * scale, max((step["ended"] - step["started"]) * scale, 2)
    bar = f'<rect x="{left:.1f}" y="{ROW * place + 5}" width="{width:.1f}" height="12" rx="2" fill="{{}}"/>'
    taken = f"{1000 * (step['ended'] - step['started']):.0f} ms"
    end = f'<text x="{left + width + 4:.1f}" y="{middle}" fill="currentColor">{taken}</text>'
    return label + bar.format(COLOURS.get(step["status"], WAITED)) + end


def _source(source: Source) -> str:
    place = escape(" › ".join(filter(None, (source["title"], source["heading"]))))
    quote = f"<blockquote>{escape(source['text'])}</blockquote>"
    return (
        f"<details><summary>[{source['number']}] {place}</summary>{quote}<code>{escape(source['uri'])}</code></details>"
    )


def _used(usage: Usage) -> str:
    cost = "unknown cost" if usage["cost"] is None else f"${usage['cost']:.4f}"
    calls = len(usage["calls"])
    counts = f"{calls} model call{'s' * (calls != 1)}, {usage['input']:,} tokens in, {usage['output']:,} out, {cost}"
    return f"<p><small>{counts}</small></p>"


async def _last(events: AsyncIterator[Event]) -> Event | None:
    last = None
    async for event in events:
        last = event
    return last


def _shown(event: Event | None) -> Shown | Waiting:
    if isinstance(event, Question):
        return Waiting(event)
    assert isinstance(event, Answer), "a turn ends with its answer, or with what waits"
    return Shown(event)
