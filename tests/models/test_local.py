from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest

from agent.errors import ModelUnavailable
from agent.models import local, weights
from agent.models.local import LocalServer, cores, json_grammar, serve

PLAN = {
    "type": "object",
    "properties": {
        "tool": {"enum": ["search", "clock"]},
        "order": {"anyOf": [{"type": "integer", "maximum": 99}, {"type": "string", "pattern": r"^\$\{[1-9]\}$"}]},
        "words": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 2},
    },
    "required": ["tool", "order", "words"],
    "additionalProperties": False,
}
QUESTION = [{"role": "user", "content": "Fill in: tool search, order 7, words red and blue."}]
RESPONSE_FORMAT = {"type": "json_schema", "json_schema": {"name": "plan", "schema": PLAN, "strict": True}}

# Starts the server and ends while a reply is being written.
PROGRAM = """
import asyncio, openai
from agent.models.local import serve

server = asyncio.run(serve())
client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key)
count = [{"role": "user", "content": "Count from 1 to 1000."}]
for chunk in client.chat.completions.create(model=server.model, messages=count, stream=True):
    if chunk.choices[0].delta.content:
        print(server.process.pid, flush=True)
        HOW
"""


needs_engine = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is in the extra local")


@pytest.fixture
def missing() -> Path:
    return Path("/no/such/model.gguf")


@pytest.fixture
async def server() -> LocalServer:
    return await serve()


@pytest.fixture
async def client(server: LocalServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        yield client


async def ask(client: openai.AsyncOpenAI, **options: Any) -> Any:
    return await client.chat.completions.create(
        **{"model": "local", "messages": QUESTION, "max_completion_tokens": 80, "temperature": 0, **options}
    )


def listening(pid: int) -> set[str]:
    """Return the addresses that a process listens on, as the kernel tells them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


@pytest.mark.local_model
@pytest.mark.parametrize(
    "constraint", [{"response_format": RESPONSE_FORMAT}, {"extra_body": {"grammar": json_grammar(PLAN)}}]
)
async def test_a_reply_follows_its_schema(client: openai.AsyncOpenAI, constraint: dict[str, Any]) -> None:
    reply = await ask(client, **constraint)
    plan = json.loads(reply.choices[0].message.content)
    jsonschema.validate(plan, PLAN)
    assert plan["tool"] == "search"


@pytest.mark.local_model
@pytest.mark.parametrize(
    "constraint", [{"response_format": RESPONSE_FORMAT}, {"extra_body": {"grammar": json_grammar(PLAN)}}]
)
async def test_a_constrained_reply_streams_with_usage(client: openai.AsyncOpenAI, constraint: dict[str, Any]) -> None:
    stream = await ask(client, stream=True, stream_options={"include_usage": True}, **constraint)
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    jsonschema.validate(json.loads("".join(pieces)), PLAN)
    assert len(pieces) > 5
    assert chunks[-1].usage.completion_tokens > 5


@pytest.mark.local_model
async def test_a_grammar_admits_no_white_space_between_tokens(client: openai.AsyncOpenAI) -> None:
    text = (await ask(client, extra_body={"grammar": json_grammar(PLAN)})).choices[0].message.content
    assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.local_model
async def test_calls_that_share_a_beginning_read_it_once(client: openai.AsyncOpenAI) -> None:
    system = {"role": "system", "content": " ".join(f"Rule {number}: be brief." for number in range(60))}
    planner = [system, *QUESTION]
    first = await ask(client, messages=planner, max_completion_tokens=2)
    said = {"role": "assistant", "content": first.choices[0].message.content}
    responder = [*planner, said, {"role": "user", "content": "Now answer."}]
    second = await ask(client, messages=responder, max_completion_tokens=2)
    assert second.usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens - 1
    await ask(client, messages=[{"role": "user", "content": "Something else altogether."}], max_completion_tokens=2)
    again = await ask(client, messages=planner, max_completion_tokens=2)
    assert again.usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens - 8


@pytest.mark.local_model
async def test_it_listens_on_loopback_only_and_demands_its_key(server: LocalServer) -> None:
    assert listening(server.process.pid) == {"0100007F"}
    assert server.api_key not in repr(server)
    assert server.api_key.encode() not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    assert server.api_key.encode() not in Path(f"/proc/{server.process.pid}/environ").read_bytes()
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="guess") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await ask(stranger)


@pytest.mark.local_model
async def test_all_callers_share_one_server(server: LocalServer) -> None:
    others = await asyncio.gather(*(serve() for _ in range(8)), serve(weights.QWEN.path))
    elsewhere = await asyncio.to_thread(asyncio.run, serve())
    assert {other.process.pid for other in (*others, elsewhere)} == {server.process.pid}


@pytest.mark.local_model
async def test_a_server_that_died_is_started_again(server: LocalServer) -> None:
    server.process.kill()
    server.process.wait()
    again = await serve()
    assert again.process.pid != server.process.pid
    async with openai.AsyncOpenAI(base_url=again.base_url, api_key=again.api_key) as client:
        assert (await ask(client)).choices[0].message.content


@pytest.mark.local_model
async def test_a_truncated_file_is_an_error_that_says_why(tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.gguf"
    with weights.joined().open("rb") as whole:
        truncated.write_bytes(whole.read(20_000_000))
    with pytest.raises(ModelUnavailable, match=r"truncated\.gguf.*corrupted or incomplete"):
        await serve(truncated)


@pytest.mark.local_model
@pytest.mark.parametrize(
    ("how", "code"),
    [("break", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL)],
)
def test_the_server_ends_with_the_program_even_during_a_reply(how: str, code: int) -> None:
    root = Path(local.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("HOW", how)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout
        handle = os.pidfd_open(int(program.stdout.readline()))
        _, log = program.communicate(timeout=200)
        assert program.returncode == code
        assert log == ""
    ended, _, _ = select.select([handle], [], [], 30)
    os.close(handle)
    assert ended


@needs_engine
async def test_a_path_that_does_not_exist_is_an_error_each_time(missing: Path) -> None:
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="correct the path in SELFHELP_MODEL"):
            await serve(missing)


@needs_engine
async def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        await serve(tmp_path)


@needs_engine
async def test_a_file_of_another_format_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "model.gguf"
    page.write_text("<html>404</html>")
    with pytest.raises(ModelUnavailable, match="is not a GGUF file"):
        await serve(page)


@needs_engine
async def test_a_gguf_file_of_nonsense_is_an_error(tmp_path: Path) -> None:
    nonsense = tmp_path / "model.gguf"
    nonsense.write_bytes(b"GGUF" + b"nonsense" * 1250)
    with pytest.raises(ModelUnavailable, match=r"cannot load .*model\.gguf"):
        await serve(nonsense)


@needs_engine
async def test_one_caller_giving_up_does_not_stop_the_start(tmp_path: Path) -> None:
    nonsense = tmp_path / "model.gguf"
    nonsense.write_bytes(b"GGUF" + b"nonsense" * 1250)
    hasty, patient = asyncio.create_task(serve(nonsense)), asyncio.create_task(serve(nonsense))
    while nonsense not in local._servers:
        await asyncio.sleep(0)
    hasty.cancel()
    with pytest.raises(ModelUnavailable, match="cannot load"):
        await patient


async def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, missing: Path) -> None:
    monkeypatch.setattr(local, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'selfhelp\[local\]'"):
        await serve(missing)


def test_cores_count_affinity_siblings_and_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": f"{cpu % 4},{cpu % 4 + 4}"
        for cpu in range(8)
    }
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(local, "_read", lambda path: files.get(path, ""))
    assert cores() == 4
    files["/sys/fs/cgroup/cpu.max"] = "max 100000"
    assert cores() == 4
    files["/sys/fs/cgroup/cpu.max"] = "150000 100000"
    assert cores() == 2
    files["/sys/fs/cgroup/cpu.max"] = "10000 100000"
    assert cores() == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4})
    del files["/sys/fs/cgroup/cpu.max"]
    assert cores() == 1
