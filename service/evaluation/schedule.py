"""The schedule: which cases are still to be asked of which configurations, so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.settings import Settings
from service.evaluation.cases import Case
from service.evaluation.configurations import Configuration, hashed
from service.evaluation.lines import Lines
from service.evaluation.outcomes import Outcome, outcome_key
from service.evaluation.runs import run
from service.evaluation.surroundings import Surroundings


@dataclass(frozen=True)
class Job:
    """A case to be asked of a configuration.

    Args:
        case: the case.
        configuration: the configuration.
        fingerprint: the configuration's.
    """

    case: Case
    configuration: Configuration
    fingerprint: str

    @property
    def key(self) -> str:
        """What its outcome is found by."""
        return outcome_key(self.case.id, hashed(self.case.asked), self.fingerprint)


def jobs(cases: Sequence[Case], configurations: Sequence[Configuration], settings: Settings) -> list[Job]:
    """Return all jobs, case by case, so that a part of them compares configurations on the same cases."""
    fingerprints = [each.fingerprint(settings) for each in configurations]
    return [
        Job(case, configuration, fingerprint)
        for case in cases
        for configuration, fingerprint in zip(configurations, fingerprints, strict=True)
    ]


def is_done(outcome: Outcome | None) -> bool:
    """Whether an outcome is there to stay. What failed, such as for want of a model, is asked again."""
    return outcome is not None and outcome.failed is None


async def work_off(
    wanted: Sequence[Job],
    outcomes: Lines[Outcome],
    surroundings: Surroundings,
    parallel: int,
    told: Callable[[Job, Outcome], None],
) -> None:
    """Run the jobs that have no outcome yet, and keep each outcome as it comes.

    Args:
        wanted: the jobs, in the order to begin them in.
        outcomes: what is there, and where new ones go.
        surroundings: give each job what it runs in.
        parallel: how many run at once.
        told: is called with each new outcome.
    """
    left = iter([job for job in wanted if not is_done(outcomes.get(job.key))])

    async def worker() -> None:
        for job in left:
            outcome = await run(job.case, job.configuration, surroundings, job.fingerprint)
            await asyncio.to_thread(outcomes.add, outcome)
            told(job, outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(parallel):
            group.create_task(worker())
