"""OpenAI's hosted fine-tuning jobs, for as long as there are any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from agent.errors import SelfhelpError, SettingsError
from agent.settings import Settings
from service.finetuning.validation import validate

CLOSES = date(2027, 1, 6)
# Of its models, those of which jobs are still taken; they end on 2027-01-14, and with them what was made of them.
FAMILY = "gpt-4.1"
MODELS_END = date(2027, 1, 14)
ENDS = (
    f"OpenAI's hosted fine-tuning closes for everyone on {CLOSES}; organisations that never used it are barred "
    f"already, and {FAMILY} models, the only ones it takes, end on {MODELS_END}"
)
INSTEAD = "selfhelp finetune train makes a LoRA adapter of an open model from the same file"

EVENTS = 10


class HostedClosed(SelfhelpError):
    """Hosted fine-tuning, after its end."""


class HostedRefused(SelfhelpError):
    """A request that OpenAI refused."""


@dataclass(frozen=True)
class Job:
    """A hosted job.

    Args:
        id: its id.
        status: where it stands.
        model: what is trained.
        trained: name of the model that it made, once there is one.
        tokens: tokens that it has gone through, once that is known.
        error: why it failed.
        finished: when it ended, in seconds since 1970.
        events: what it told, the latest first.
    """

    id: str
    status: str
    model: str
    trained: str | None = None
    tokens: int | None = None
    error: str | None = None
    finished: int | None = None
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Args:
        file: the training file.
        model: the model to begin with.
        held_out: examples that the job evaluates with.
        epochs: how often each example is gone through; as many as OpenAI finds right when None.
        suffix: what the new model's name ends in.
        seed: another one orders the examples otherwise.
    """

    file: Path
    model: str
    held_out: Path | None = None
    epochs: int | None = None
    suffix: str | None = None
    seed: int | None = None


async def submit(settings: Settings, order: Order, today: date) -> Job:
    """Upload a file that is valid and start a job. It reads files at once: use it where nothing else waits.

    Args:
        settings: the settings, with OpenAI's key.
        order: what is to be trained.
        today: the date.

    Raises:
        HostedClosed: there are no such jobs any more.
        SettingsError: there is no key, the model is of another family, or the file is not valid.
        HostedRefused: OpenAI refused.
    """
    if today >= CLOSES:
        raise HostedClosed(f"nothing was sent: {ENDS}. {INSTEAD}")
    if not order.model.removeprefix("ft:").startswith(FAMILY):
        raise SettingsError(f"{order.model} cannot be trained: hosted jobs take the {FAMILY} family only")
    if problems := validate(order.file, order.held_out).problems:
        raise SettingsError(
            f"{order.file} has {len(problems)} problems, and was not sent: selfhelp finetune validate shows them"
        )
    async with _client(settings) as client:
        training = await client.files.create(file=order.file, purpose="fine-tune")
        parameters = {"n_epochs": order.epochs} if order.epochs else {}
        method = {"type": "supervised", "supervised": {"hyperparameters": parameters}}
        wanted: dict[str, Any] = {"suffix": order.suffix, "seed": order.seed, "method": method}
        if order.held_out:
            held_out = await client.files.create(file=order.held_out, purpose="fine-tune")
            wanted["validation_file"] = held_out.id
        job = await client.fine_tuning.jobs.create(
            model=order.model,
            training_file=training.id,
            **{name: value for name, value in wanted.items() if value is not None},
        )
    return _job(job)


async def status(settings: Settings, job_id: str) -> Job:
    """Return where a job stands.

    Args:
        settings: the settings, with OpenAI's key.
        job_id: the job.

    Raises:
        SettingsError: there is no key.
        HostedRefused: OpenAI refused, or there is no such job.
    """
    async with _client(settings) as client:
        job = await client.fine_tuning.jobs.retrieve(job_id)
        events = await client.fine_tuning.jobs.list_events(job_id, limit=EVENTS)
    told = [f"{datetime.fromtimestamp(event.created_at, UTC):%Y-%m-%d %H:%M} {event.message}" for event in events.data]
    return _job(job, tuple(told))


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[AsyncOpenAI]:
    if settings.openai_api_key is None:
        raise SettingsError("hosted fine-tuning needs OpenAI's key: set OPENAI_API_KEY")
    key = settings.openai_api_key.get_secret_value()
    try:
        async with AsyncOpenAI(api_key=key, base_url=settings.openai_base_url) as client:
            yield client
    except APIStatusError as error:
        barred = f". {ENDS}. {INSTEAD}" if error.status_code in (403, 404, 410) else ""
        raise HostedRefused(f"OpenAI refused ({error.status_code}): {error.message}{barred}") from None
    except APIConnectionError as error:
        raise HostedRefused(f"OpenAI cannot be reached: {error.__cause__ or error}") from None


def _job(job: Any, events: tuple[str, ...] = ()) -> Job:
    error = job.error.message if job.error else None
    return Job(job.id, job.status, job.model, job.fine_tuned_model, job.trained_tokens, error, job.finished_at, events)
