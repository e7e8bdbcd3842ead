"""Asking once, and talking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.models.providers import default_model, open_model
from agent.personas import find_persona, find_personas
from agent.settings import Settings
from agent.state import Usage
from agent.usage import added
from service.approvals import Undecided, decide
from service.console import TurnView, as_json, figures, plan_tree, progress
from service.conversation import Answer, Conversation, Desk, Event, Question, StepEvent

HISTORY_LENGTH = 1000

HELP = """\
/persona [NAME]  show the personas, or speak as another
/plan            the steps of the last answer
/cost            tokens and cost of this conversation
/new             begin a new thread
/quit            leave; selfhelp chat --thread {thread} carries on"""


def ask_once(
    settings: Settings, context: Context, question: str, thread: str | None, console: Console, *, as_json: bool
) -> bool:
    """Ask one question and show the answer. Returns whether a model gave it."""
    with asyncio.Runner() as runner, _opened(Desk(settings), runner) as desk:
        conversation = _conversation(desk, context, thread)
        runner.run(prepare(settings, context, quiet=as_json))
        outcome = runner.run(shown(conversation, conversation.turn(question), console, json=as_json))
        answer = _settled(outcome, conversation, console, runner, json=as_json)
    return answer is not None and answer.degraded is None


def go_on(settings: Settings, thread: str | None, console: Console, *, approve: bool) -> bool:
    """Decide on the writes that a thread waits with, and show the rest of its turn, also where it was cut off.

    Args:
        settings: the settings.
        thread: id of the thread; the latest that waits or was cut off when None.
        console: where to show it.
        approve: whether all of them are approved without asking.

    Raises:
        Undecided: nothing waits.
    """
    with asyncio.Runner() as runner, _opened(Desk(settings), runner) as desk:
        name = thread or runner.run(desk.latest_unfinished())
        conversation = _conversation(desk, Context(), name)
        if name is None or not runner.run(conversation.take_up()):
            raise Undecided("nothing waits to be approved" + (f" in thread {name}" if name else ""))
        runner.run(prepare(settings, conversation.context, quiet=False))
        outcome = runner.run(_taken_up(conversation, console, approve=approve))
        answer = _settled(outcome, conversation, console, runner, json=False)
    return answer is not None and answer.degraded is None


async def _taken_up(conversation: Conversation, console: Console, *, approve: bool) -> Answer | Question:
    """Go on with a turn as far as nobody need be asked."""
    question = await conversation.waiting()
    if question is None:
        console.print(Text("This turn was cut off, and goes on.", style="dim"))
        return await shown(conversation, conversation.carry_on(), console, json=False)
    if not approve:
        return question
    decisions = [{"type": "approve"} for _ in question.actions]
    return await shown(conversation, conversation.decide(question, decisions), console, json=False)


async def shown(
    conversation: Conversation, events: AsyncIterator[Event], console: Console, *, json: bool
) -> Answer | Question:
    """Show a turn as text, or what it came to as JSON."""
    if not json:
        return await TurnView(console).show(events)
    async for event in events:
        if isinstance(event, Answer | Question):
            outcome = event
    console.file.write(as_json(outcome, conversation.thread) + "\n")
    return outcome


def _settled(
    outcome: Answer | Question, conversation: Conversation, console: Console, runner: asyncio.Runner, *, json: bool
) -> Answer | None:
    """Have a person decide for as long as writes wait, and return the answer; None where nobody can be asked."""
    while isinstance(outcome, Question):
        if json:
            return None
        decisions = decide(outcome.actions, console)
        outcome = runner.run(shown(conversation, conversation.decide(outcome, decisions), console, json=False))
    return outcome


@contextmanager
def _opened(desk: Desk, runner: asyncio.Runner) -> Iterator[Desk]:
    runner.run(desk.__aenter__())
    try:
        yield desk
    finally:
        runner.run(desk.__aexit__())


async def prepare(settings: Settings, context: Context, *, quiet: bool) -> None:
    """Load local weights before the first turn, with a progress bar: it may take a while.

    Raises:
        SettingsError: there is no such persona, or it cannot be read.
    """
    layer = settings.layer()
    persona = await asyncio.to_thread(find_persona, context.over(layer).persona, settings.personas_dir)
    effective = context.over(persona.layer(), layer)
    name = effective.model or default_model(settings)
    if not name.startswith("local"):
        return
    with progress(Console(stderr=True, quiet=quiet), "Preparing the local model", in_bytes=True) as report:
        await open_model(name, settings, effective, report)


def chat_loop(settings: Settings, context: Context, thread: str | None, console: Console) -> None:
    """Talk until the person leaves. Ctrl-C stops an answer; at the prompt it leaves."""
    _remember_lines(settings.data_dir / "history")
    with asyncio.Runner() as runner, _opened(Desk(settings), runner) as desk:
        talk = Talk(_conversation(desk, context, thread), settings, console, runner)
        runner.run(talk.greet())
        while (line := _read_line()) is not None and line != "/quit":
            if line:
                with suppress(KeyboardInterrupt):
                    talk.take(line)


class Talk:
    """A conversation at the terminal, with its commands.

    Args:
        conversation: the thread talked on.
        settings: the settings.
        console: where to show it.
        runner: runs what is asynchronous.
    """

    def __init__(
        self, conversation: Conversation, settings: Settings, console: Console, runner: asyncio.Runner
    ) -> None:
        self._conversation = conversation
        self._settings = settings
        self._console = console
        self._runner = runner
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

    def take(self, line: str) -> None:
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
            self._ask(line)

    def _ask(self, question: str) -> None:
        events = self._conversation.turn(question)
        outcome = self._runner.run(shown(self._conversation, events, self._console, json=False))
        try:
            self._last = _settled(outcome, self._conversation, self._console, self._runner, json=False)
        except Undecided as error:
            self._say(str(error))
            return
        assert self._last, "a person was there to be asked"
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

    def write() -> None:
        with suppress(OSError):
            readline.write_history_file(path)

    atexit.register(write)
