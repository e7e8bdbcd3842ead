"""Asking once, and talking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.models.providers import default_model, open_model
from agent.personas import find_personas
from agent.settings import Settings
from agent.state import Usage
from agent.usage import added
from service.console import TurnView, as_json, figures, plan_tree, progress
from service.conversation import Answer, Conversation, Desk, StepEvent

HISTORY_LENGTH = 1000

HELP = """\
/persona [NAME]  show the personas, or speak as another
/plan            the steps of the last answer
/cost            tokens and cost of this conversation
/new             begin a new thread
/quit            leave; selfhelp chat --thread {thread} carries on"""


async def ask_once(
    settings: Settings, context: Context, question: str, thread: str | None, console: Console, *, as_json: bool
) -> bool:
    """Ask one question and show the answer. Returns whether a model gave it."""
    async with Desk(settings) as desk:
        conversation = _conversation(desk, context, thread)
        await prepare(settings, context, quiet=as_json)
        answer = await answered(conversation, question, console, json=as_json)
    return answer.degraded is None


async def answered(conversation: Conversation, question: str, console: Console, *, json: bool) -> Answer:
    """Ask, and show the turn as text or its answer as JSON."""
    if not json:
        return await TurnView(console).show(conversation.turn(question))
    async for event in conversation.turn(question):
        if isinstance(event, Answer):
            answer = event
    console.file.write(as_json(answer, conversation.thread) + "\n")
    return answer


async def prepare(settings: Settings, context: Context, *, quiet: bool) -> None:
    """Load local weights before the first turn, with a progress bar: it may take a while."""
    effective = context.over(settings.layer())
    name = effective.model or default_model(settings)
    if not name.startswith("local"):
        return
    with progress(Console(stderr=True, quiet=quiet), "Preparing the local model", in_bytes=True) as report:
        await open_model(name, settings, effective, report)


def chat_loop(settings: Settings, context: Context, thread: str | None, console: Console) -> None:
    """Talk until the person leaves. Ctrl-C stops an answer; at the prompt it leaves."""
    _remember_lines(settings.data_dir / "history")
    with asyncio.Runner() as runner:
        desk = runner.run(Desk(settings).__aenter__())
        try:
            talk = Talk(_conversation(desk, context, thread), settings, console)
            runner.run(talk.greet())
            while (line := _read_line()) is not None and line != "/quit":
                if line:
                    with suppress(KeyboardInterrupt):
                        runner.run(talk.take(line))
        finally:
            runner.run(desk.__aexit__())


class Talk:
    """A conversation at the terminal, with its commands.

    Args:
        conversation: the thread talked on.
        settings: the settings.
        console: where to show it.
    """

    def __init__(self, conversation: Conversation, settings: Settings, console: Console) -> None:
        self._conversation = conversation
        self._settings = settings
        self._console = console
        self._last: Answer | None = None
        self._usage: Usage | None = None

    async def greet(self) -> None:
        """Load what the first answer needs, and say hello, or where the thread stands."""
        await prepare(self._settings, self._conversation.context, quiet=False)
        messages = await self._conversation.messages()
        personas = await asyncio.to_thread(find_personas, self._settings.personas_dir)
        name = self._conversation.context.over(self._settings.layer()).persona
        greeting = personas[name].greeting if name in personas else ""
        self._say(
            f"(carrying on thread {self._conversation.thread}, {len(messages)} messages)" if messages else greeting
        )

    async def take(self, line: str) -> None:
        """Take one line: a command or a question."""
        command, _, argument = line.partition(" ")
        commands: dict[str, Callable[[str], None]] = {
            "/help": self._help,
            "/persona": self._persona,
            "/plan": self._plan,
            "/cost": self._cost,
            "/new": self._new,
        }
        if command in commands:
            commands[command](argument.strip())
        elif command.startswith("/"):
            self._say(f"There is no command {command}: /help lists them.")
        else:
            self._last = await TurnView(self._console).show(self._conversation.turn(line))
            used = self._last.usage
            self._usage = added(self._usage, used["calls"], used["citations_removed"], used["links_removed"])

    def _help(self, _: str) -> None:
        self._say(HELP.format(thread=self._conversation.thread))

    def _persona(self, name: str) -> None:
        personas = find_personas(self._settings.personas_dir)
        if name in personas:
            self._conversation.context = self._conversation.context.model_copy(update={"persona": name})
            self._say(personas[name].greeting or f"Now speaking as {name}.")
            return
        if name:
            self._say(f"There is no persona {name!r}.")
        for persona in personas.values():
            self._say(f"{persona.name:12} {persona.description}")

    def _plan(self, _: str) -> None:
        steps = self._last.plan if self._last else []
        if not steps:
            self._say("The last answer needed no tools.")
            return
        events = [
            StepEvent(
                step["id"],
                step["number"],
                step["round"],
                step["tool"],
                step["status"],
                step["resolved"] or step["args"],
                round(1000 * ((step["ended"] or 0) - (step["started"] or 0))),
                step["error"],
            )
            for step in steps
        ]
        self._console.print(plan_tree(events))

    def _cost(self, _: str) -> None:
        self._say(figures(self._usage) if self._usage else "Nothing was asked yet.")

    def _new(self, _: str) -> None:
        self._conversation = Conversation(self._conversation.graph, self._conversation.context)
        self._last = None
        self._say(f"Thread {self._conversation.thread}.")

    def _say(self, text: str) -> None:
        if text:
            self._console.print(Text(text), soft_wrap=True)


def _conversation(desk: Desk, context: Context, thread: str | None) -> Conversation:
    return Conversation(desk.graph, context, thread) if thread else Conversation(desk.graph, context)


def _read_line() -> str | None:
    """Return the next line, or None when the person leaves."""
    try:
        return input("› ").strip()
    except (EOFError, KeyboardInterrupt):
        return None


def _remember_lines(path: Path) -> None:
    """Keep typed lines between sessions, where the terminal can edit lines at all."""
    try:
        import atexit
        import readline
    except ImportError:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(HISTORY_LENGTH)
    atexit.register(lambda: readline.write_history_file(path))
