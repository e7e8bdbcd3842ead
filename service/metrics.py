"""What Prometheus is told of a process: counted here, read at /metrics."""

from __future__ import annotations

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from agent.state import Usage
from service.conversation import StepEvent

# Names a folder in which processes of one `selfhelp serve` count together.
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"

_QUICK = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SLOW = (0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)

REQUESTS = Counter("selfhelp_requests", "HTTP requests.", ["method", "path", "status"])
REQUEST_SECONDS = Histogram(
    "selfhelp_request_seconds", "Time until a response begins.", ["method", "path"], buckets=_QUICK
)
RUNS = Counter("selfhelp_runs", "Runs that came to an end, or to a write that waits for a person.", ["status"])
RUN_SECONDS = Histogram("selfhelp_run_seconds", "Time from the question to the end of its run.", buckets=_SLOW)
FIRST_TOKEN = Histogram(
    "selfhelp_first_token_seconds", "Time from the question to the answer's first token.", buckets=_SLOW
)
UNDER_WAY = Gauge("selfhelp_runs_under_way", "Runs that this process carries out.", multiprocess_mode="livesum")
TAKEN_OVER = Counter("selfhelp_runs_taken_over", "Runs of processes that had ended.")
STEPS = Counter("selfhelp_steps", "Tool calls that came to an end.", ["tool", "status"])
STEP_SECONDS = Histogram("selfhelp_step_seconds", "Time that tool calls took.", ["tool"], buckets=_QUICK)
CALLS = Counter("selfhelp_model_calls", "Model calls of answers.", ["model"])
TOKENS = Counter("selfhelp_tokens", "Tokens of answers.", ["model", "kind"])
COST = Counter("selfhelp_cost_dollars", "Cost of answers, where prices are known.", ["model"])
DOCUMENTS = Counter("selfhelp_documents", "Documents that were indexed, or could not be.", ["status"])


def registry() -> CollectorRegistry:
    """Return what is to be read: of this process, or of all that count together."""
    if TOGETHER not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def count_step(step: StepEvent) -> None:
    """Count a tool call, once it has come to an end."""
    if step.status in ("started", "waiting"):
        return
    STEPS.labels(step.tool, step.status).inc()
    if step.ms is not None:
        STEP_SECONDS.labels(step.tool).observe(step.ms / 1000)


def count_calls(usage: Usage | None) -> None:
    """Count the model calls of an answer, where they are known."""
    for call in usage["calls"] if usage else ():
        CALLS.labels(call["model"]).inc()
        for kind in ("input", "cached", "output"):
            TOKENS.labels(call["model"], kind).inc(call[kind])
        COST.labels(call["model"]).inc(call["cost"] or 0)
