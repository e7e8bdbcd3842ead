"""A llama.cpp server in a process of its own, which `agent.models.local` starts and talks to.

Why not in the assistant's process: xllamacpp holds the interpreter while a model loads, so no event loop turns for
seconds, and it locks up for ever when a server is dropped during a reply.

Standard input: a line of JSON with the arguments of `serve`, then nothing; when it ends, so does the server. Standard
output: a line of JSON, `{"url": …}`, once the model is loaded. Standard error: llama.cpp's log.
"""

import json
import os
import signal
import sys
from typing import Any

QUIET, VERBOSE = 1, 3
# One more prefix than the running one stays in memory, so that a call with other instructions does not push it out.
CACHE_MIB = 512
# A reply that nobody limits ends here; a small model may otherwise repeat itself until the context is full.
REPLY_TOKENS = 2048


def serve(*, path: str, name: str, key: str, context: int, threads: int, debug: bool) -> Any:
    """Load a model and serve it on a free port of 127.0.0.1.

    Args:
        path: the GGUF file.
        name: what the server calls the model.
        key: the API key that it demands.
        context: tokens of prompt and reply together.
        threads: how many compute.
        debug: whether to log what it does.

    Raises:
        RuntimeError: the model cannot be loaded; the log says why.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.api_keys = [key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.use_jinja = True
    params.verbosity = VERBOSE if debug else QUIET
    params.ui = params.endpoint_slots = False
    params.n_ctx = context
    params.n_predict = REPLY_TOKENS
    # One slot: every call continues from the prompt before it, and a second slot would read the shared prefix again.
    params.n_parallel = 1
    params.cache_ram_mib = CACHE_MIB
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    # Weights repacked at loading take 0.6 GB and two seconds; on x86 they write a fifth faster and read a fifth slower.
    params.no_extra_bufts = True
    params.warmup = False
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl-C in a terminal reaches this process too, and is the assistant's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arguments = json.loads(sys.stdin.buffer.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = serve(**arguments)
    except RuntimeError:
        sys.exit(1)
    print(json.dumps({"url": server.listening_address}), file=answer, flush=True)
    if not arguments["debug"]:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
    sys.stdin.buffer.read()
    # Dropping the server during a reply would hang.
    os._exit(0)


if __name__ == "__main__":
    main()
