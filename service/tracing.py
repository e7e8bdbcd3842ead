"""Traces for OpenTelemetry: a span for each run, node, model call and tool call, where an address for them is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from agent.errors import SettingsError
from agent.serving import TracingSettings


@asynccontextmanager
async def traced(settings: TracingSettings) -> AsyncIterator[None]:
    """Send traces for as long as the context lasts. Without an address, nothing of OpenTelemetry is even imported.

    Spans follow OpenInference: https://github.com/Arize-ai/openinference/tree/main/spec

    Args:
        settings: where they go, and whether they hold what was said.

    Raises:
        SettingsError: the libraries are not installed.
    """
    if settings.endpoint is None:
        yield
        return
    try:
        from openinference.instrumentation import TraceConfig
        from openinference.instrumentation.langchain import LangChainInstrumentor
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from service.tracing_sampler import OuterCalls
    except ImportError:
        raise SettingsError("[tracing] needs OpenTelemetry: pip install 'selfhelp[tracing]'") from None
    resource = Resource.create({"service.name": "selfhelp", "service.version": version("selfhelp")})
    provider = TracerProvider(sampler=OuterCalls(), resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    hidden = not settings.contents
    config = TraceConfig(
        hide_inputs=hidden,
        hide_outputs=hidden,
        hide_prompts=hidden,
        hide_choices=hidden,
        hide_llm_tools=True,
        hide_llm_invocation_parameters=True,
    )
    instrumentor = LangChainInstrumentor()
    instrumentor.instrument(tracer_provider=provider, config=config)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        # It sends what is left, and waits for that.
        await asyncio.to_thread(provider.shutdown)
