"""Traces, as a collector of OpenTelemetry's receives them."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent.serving import TracingSettings
from service.http.app import create_app
from tests.support.model_server import Reply

SAID = {"question": "Is the xylophone paid?", "argument": "6*7777", "answer": "Yes, my marimba friend."}


class Collector:
    """What was sent to it."""

    def __init__(self):
        self.bodies = []

    @property
    def spans(self):
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture
def collector():
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            import gzip

            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        yield collector
        server.shutdown()
        thread.join()


async def asked(settings, model_server, tracing):
    model_server.will(Reply(calls=[("calculator", {"expression": SAID["argument"]})]), SAID["answer"])
    app = create_app(settings.model_copy(update={"tracing": tracing, "api_key": None}))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client,
    ):
        thread = (await client.post("/api/threads", json={})).json()["id"]
        run = (await client.post(f"/api/threads/{thread}/runs", json={"text": SAID["question"]})).json()["id"]
        assert (await client.get(f"/api/runs/{run}/join")).json()["status"] == "finished"


@pytest.mark.parametrize("contents", [False, True])
async def test_a_turn_is_one_trace_which_holds_what_was_said_only_if_that_is_wished(
    settings, model_server, collector, contents
):
    await asked(settings, model_server, TracingSettings(endpoint=collector.url, contents=contents))
    names = [span.name for span in collector.spans]
    assert {"assistant", "planner", "executor", "responder"} <= set(names)
    assert len({span.trace_id for span in collector.spans}) == 1
    tokens = [
        attribute.value.int_value
        for span in collector.spans
        for attribute in span.attributes
        if attribute.key == "llm.token_count.prompt"
    ]
    assert len(tokens) == 2
    assert all(tokens)
    sent = b"".join(collector.bodies).decode(errors="replace")
    assert {name: text in sent for name, text in SAID.items()} == dict.fromkeys(SAID, contents)


async def test_a_collector_that_is_away_holds_nothing_up(settings, model_server):
    await asked(settings, model_server, TracingSettings(endpoint="http://127.0.0.1:9/v1/traces"))


def test_without_an_endpoint_nothing_of_it_is_imported():
    code = "import sys, service.http.app, service.tracing; print('openinference' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
