"""Requests made up from the OpenAPI document, against the whole API: nothing breaks it, and its answers are as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.model_server import Reply
from tests.support.service_process import running

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
OPTIONS = [
    "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    "--phases=examples,fuzzing,stateful",
    "--max-examples=8",
    "--generation-deterministic",
    "--suppress-health-check=all",
    "--no-shrink",
    "--continue-on-failure",
    "--request-timeout=30",
    "--warnings=off",
    "--no-color",
]
# Nothing else is passed on: where hypothesis sees CI, its own profile brings back the health checks suppressed above, and
# sets that are iterated in another order each time make other requests.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}


@pytest.mark.timeout(600)
def test_no_request_breaks_the_service(new_service, shared_model, tmp_path):
    shared_model.repeat = lambda _: Reply("Hello.")
    with running(new_service(SELFHELP_SERVICE__BODY_BYTES="100000")) as service:
        command = [SCHEMATHESIS, "run", f"{service.url}/openapi.json", *OPTIONS]
        found = subprocess.run(command, check=False, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    shared_model.repeat = None
    shared_model.requests.clear()
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Traceback" not in service.log
