"""`selfhelp eval`: a set run against configurations, counted, compared and reported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.models.providers import open_model
from agent.settings import Settings
from service.console import progress
from service.demo import example_shop
from service.evaluation import tables
from service.evaluation.cases import Case, read_cases, spread
from service.evaluation.configurations import Configuration, configurations
from service.evaluation.judge import Judgement, judge_all, judgement_key
from service.evaluation.lines import Lines, put_aside
from service.evaluation.outcomes import Outcome
from service.evaluation.report import write_report
from service.evaluation.schedule import Job, is_done, jobs, work_off
from service.evaluation.summary import Result
from service.evaluation.surroundings import Company, Deployment, Surroundings
from service.evaluation.tables import Evaluation

SHOP = "shop"
# One of llama.cpp's slots answers at a time.
PARALLEL, PARALLEL_LOCAL = 4, 1


@dataclass(frozen=True)
class Wish:
    """What is to be evaluated, and how.

    Args:
        cases: path of the set; `shop` is the one over the example company.
        configurations: configurations as the command line has them.
        models: models to run each of them on.
        limit: the most cases, evenly spread over the set.
        parallel: how many cases run at once; what suits the models when None.
        shop: whether the set runs against the example company.
        again: whether what was answered before is asked again.
        judge: a model that judges answers too.
        html: where the report goes; into `out` when None.
        out: folder of what came of the cases; one of the set's name beside the threads when None.
    """

    cases: str
    configurations: Sequence[str] = ()
    models: Sequence[str] = ()
    limit: int | None = None
    parallel: int | None = None
    shop: bool = False
    again: bool = False
    judge: str | None = None
    html: Path | None = None
    out: Path | None = None


async def evaluate(settings: Settings, wish: Wish, console: Console, *, as_json: bool) -> bool:
    """Run a set, go on where an earlier run was stopped, and show what came of it. Returns whether all cases ran.

    Args:
        settings: the settings.
        wish: what is to be evaluated.
        console: where to show it.
        as_json: whether to show one JSON object instead of tables.

    Raises:
        SettingsError: the set, a configuration or a model cannot be used.
    """
    path = example_shop()[1] / "eval.jsonl" if wish.cases == SHOP else Path(wish.cases)
    cases = spread(await asyncio.to_thread(read_cases, path), wish.limit)
    chosen = configurations(wish.configurations, wish.models)
    folder = wish.out or settings.data_dir / "eval" / (SHOP if wish.cases == SHOP else path.stem)
    aside = Console(stderr=True, quiet=as_json)
    local = await _prepared(chosen, settings, aside)
    parallel = wish.parallel or (PARALLEL_LOCAL if local else PARALLEL)
    if wish.again:
        await asyncio.to_thread(put_aside, folder / "outcomes.jsonl")
    with (
        closing(await asyncio.to_thread(Lines, folder / "outcomes.jsonl", Outcome)) as outcomes,
        closing(await asyncio.to_thread(Lines, folder / "judgements.jsonl", Judgement)) as judgements,
    ):
        wanted = await asyncio.to_thread(jobs, cases, chosen, settings)
        kept = await _run(wanted, outcomes, settings, parallel, aside, company=wish.shop or wish.cases == SHOP)
        failures = await _judge(wanted, outcomes, judgements, wish.judge, settings, parallel, aside)
        results = {each.name: _results(each, wanted, outcomes, judgements, wish.judge) for each in chosen}
    evaluation = Evaluation.of(path.stem if wish.cases != SHOP else SHOP, results, wish.judge)
    html = wish.html or folder / "report.html"
    await asyncio.to_thread(write_report, evaluation, html)
    if as_json:
        console.file.write(json.dumps(tables.as_json(evaluation), ensure_ascii=False) + "\n")
    else:
        tables.show(evaluation, console)
        if kept:
            aside.print(Text(f"{kept} of {len(wanted)} answers were there from before; --again asks anew."))
        for failure in failures:
            aside.print(Text(f"not judged: {failure}"))
        console.print(Text(f"Report: {html}"), soft_wrap=True)
    return all(is_done(result.outcome) for each in results.values() for result in each)


async def _prepared(chosen: Sequence[Configuration], settings: Settings, console: Console) -> bool:
    """Open the model of each configuration, so that one that is wrong stops everything. Whether any is local."""
    contexts = [await asyncio.to_thread(configuration.effective, settings) for configuration in chosen]
    with progress(console, "Preparing the models", in_bytes=True) as report:
        opened = [await open_model(str(context.model), settings, context, report) for context in contexts]
    return any(model.provider == "local" for model in opened)


async def _run(
    wanted: Sequence[Job],
    outcomes: Lines[Outcome],
    settings: Settings,
    parallel: int,
    console: Console,
    *,
    company: bool,
) -> int:
    """Run what has no outcome yet. Returns how many jobs had one."""
    kept = done = sum(is_done(outcomes.get(job.key)) for job in wanted)
    if done == len(wanted):
        return kept
    async with _surroundings(settings, console, company=company) as surroundings:
        with progress(console, "Asking") as report:
            report(done, len(wanted))

            def told(_: Job, __: Outcome) -> None:
                nonlocal done
                done += 1
                report(done, len(wanted))

            await work_off(wanted, outcomes, surroundings, parallel, told)
    return kept


@asynccontextmanager
async def _surroundings(settings: Settings, console: Console, *, company: bool) -> AsyncIterator[Surroundings]:
    if not company:
        yield Deployment(settings)
        return
    async with AsyncExitStack() as stack:
        with progress(console, "Reading the documents") as report:
            opened = await stack.enter_async_context(Company.opened(settings, report))
        yield opened


async def _judge(
    wanted: Sequence[Job],
    outcomes: Lines[Outcome],
    judgements: Lines[Judgement],
    judge: str | None,
    settings: Settings,
    parallel: int,
    console: Console,
) -> list[str]:
    if judge is None:
        return []
    answered = [(job.case, outcome) for job in wanted if (outcome := outcomes.get(job.key)) and is_done(outcome)]
    done = sum(judgements.get(judgement_key(judge, *each)) is not None for each in answered)
    with progress(console, "Judging") as report:
        report(done, len(answered))

        def told() -> None:
            nonlocal done
            done += 1
            report(done, len(answered))

        return await judge_all(answered, judgements, judge, settings, parallel, told)


def _results(
    configuration: Configuration,
    wanted: Sequence[Job],
    outcomes: Lines[Outcome],
    judgements: Lines[Judgement],
    judge: str | None,
) -> list[Result]:
    of_it = [job for job in wanted if job.configuration is configuration]
    return [_result(job.case, outcome, judgements, judge) for job in of_it if (outcome := outcomes.get(job.key))]


def _result(case: Case, outcome: Outcome, judgements: Lines[Judgement], judge: str | None) -> Result:
    judgement = judgements.get(judgement_key(judge, case, outcome)) if judge else None
    return Result.of(case, outcome, judgement.right, judgement.reason) if judgement else Result.of(case, outcome)
