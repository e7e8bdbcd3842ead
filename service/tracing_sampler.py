"""Which spans are traced. It imports OpenTelemetry, so `service.tracing` imports it only when it is wanted."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

_INNER = "ChatOpenAI"


class OuterCalls(Sampler):
    """Leaves out the model within `Speaker`: it has no callbacks, and its span would be a second one of a call."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *_: Any, **__: Any) -> SamplingResult:  # noqa: ARG002
        """Decide on a span."""
        return SamplingResult(Decision.DROP if name == _INNER else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        """Return what it is called."""
        return "OuterCalls"
