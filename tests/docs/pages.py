"""What the pages cannot say: what the scripted model answers, what a person types, and what is not run, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.docs.earlier import ANSWERS
from tests.support.model_server import Reply

# Commands that are parsed, and not run.
NOT_RUN = {
    "pip install": "the test run has installed everything",
    "uv sync": "the test run has installed everything",
    "uv run --group local pytest": "it would run itself",
    "make check": "it is what CI runs",
    "uv run --group bench python -m benchmarks": "it takes ten minutes",
    "uv run --group local python -m benchmarks.local_model": "the local model takes minutes for it",
    "uv run python -m benchmarks.levers": "it takes a hundred seconds of CPU",
    "uv run --group local selfhelp eval shop --config assistant --config react --model local": "as above, an hour",
    "selfhelp finetune submit": "it refuses from 2027-01-06 on; tests/service/finetuning/test_hosted.py sends a file",
    "selfhelp finetune status": "it is about a job that was submitted",
    "selfhelp finetune train": "it wants torch, several GB; tests/lora trains an adapter",
    "vllm serve": "it is another project's, and wants a GPU",
    "python llama.cpp/": "it is another project's",
    "SELFHELP_MODEL=local:shop.gguf selfhelp ask": "there is no such model",
    "uvicorn aegra_api.main:app": "Aegra has an environment of its own; tests/end_to_end/test_aegra.py runs it",
    "docker compose": "there is no Docker; tests/test_containers.py checks what it reads",
}


@dataclass
class Page:
    """What it takes to type a page.

    Args:
        replies: what the scripted model says, one after the other.
        types: what a person types at a command's prompts.
        files: what the reader has: text by path.
        before: what the reader has done before.
        instead: what is typed in place of the page's words.
        prints: words that something on the page prints.
        varies: pattern of what differs from run to run in what a command prints.
    """

    replies: Sequence[Reply | str] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    instead: Mapping[str, str] = field(default_factory=dict)
    prints: Sequence[str] = ()
    varies: str = ""


UNKNOWN = "I do not know."
SEARCH = Reply(calls=[("search", {"query": "How long can I return something?"})])
FOUND = [SEARCH, "Open the order and print the label [1]."]
REFUND = Reply(
    calls=[
        ("createRefund", {"order_id": 1042, "amount": 88.9, "reason": "Asked for"}),
        ("getCustomer", {"customer_id": "${1.customer_id}"}),
    ]
)
REFUNDED = [REFUND, "113.90 EUR are left."]
SUM = Reply(calls=[("calculator", {"expression": "19.90 * 3"}), ("reply", {"text": "It is ${1}."})])
STOCK = Reply(calls=[("stock", {"sku": "TENT-2"})])
DEMO = [*[UNKNOWN] * 4, REFUND]
CASES = """\
{"id": "label", "question": "What does the return label cost?", "facts": [{"number": 4.9}], "sources": ["returns.md"]}
{"id": "moon", "question": "Do you ship to the moon?", "refuses": true}
"""
FIGURES = r"[\d.,%$]+|─+"

READERS = {
    "README.md": Page(
        replies=[*DEMO, *FOUND, "Hello.", "Yes.", *[UNKNOWN] * 5, SUM, STOCK, "Yes, 14 pieces."],
        types={"selfhelp chat": "Hello"},
        prints=["It is 59.7.\n", "stock {'sku': 'TENT-2'} finished\nYes, 14 pieces. "],
    ),
    "CONTRIBUTING.md": Page(before="git init --quiet", prints=["passed"]),
    "docs/apis.md": Page(
        replies=REFUNDED,
        types={'selfhelp ask "Refund order 1042, and tell me what is left on the customer\'s account"': "a"},
        prints=["createRefund", "113.90 EUR are left."],
    ),
    "docs/cost.md": Page(
        replies=[*FOUND * 3, *ANSWERS.values()],
        before="""
            selfhelp index examples/shop/docs
            SELFHELP_OWNER=ann selfhelp ask "How long can I return something?"
            SELFHELP_OWNER=ann selfhelp ask "How long can I return boots?"
            export SELFHELP_OWNER=bea
            selfhelp ask --model openai:gpt-6.1-terra "How long can I return something?"
            SELFHELP_MODEL=openai:gpt-6.2-sol python -m tests.docs.earlier 0
        """,
        varies=FIGURES + "|- (?:Of the prompts|No call on record).*",
    ),
    "docs/evaluation.md": Page(
        replies=[*[UNKNOWN] * 4, SUM, "Thursday."],
        files={"cases.jsonl": CASES},
        varies=FIGURES,
    ),
    "docs/fine-tuning.md": Page(
        replies=[*ANSWERS.values(), UNKNOWN, *[UNKNOWN] * 4],
        files={"cases.jsonl": CASES},
        before=f"python -m tests.docs.earlier {len(ANSWERS)}",
        varies=FIGURES,
    ),
    "docs/index.md": Page(replies=DEMO),
    "docs/knowledge.md": Page(
        replies=FOUND,
        types={"selfhelp chat": "How long can I return something?"},
        files={
            "handbook/warranty.md": "# Warranty\n\nThe warranty is five years long.\n",
            "notes/2026/boots.md": "# Boots\n\nThe warranty of boots is two years long.\n",
            "site/guide/index.html": "<h1>Care</h1><p>Wash boots by hand.</p>",
        },
        before="""
            export SELFHELP_KNOWLEDGE__EMBEDDER=minilm
            python3 -m zipfile -c manuals.zip handbook/warranty.md
            python3 -m http.server --bind 127.0.0.1 --directory site 8099 &
        """,
        instead={"https://docs.example.com": "http://127.0.0.1:8099"},
        prints=["20 added", " documents\n"],
    ),
    "docs/mcp.md": Page(
        before="export TICKETS_TOKEN=secret\nselfhelp mcp --http --port 8765 &",
        instead={
            "https://mcp.example.com": "http://127.0.0.1:8765",
            '"npx", "-y", "@modelcontextprotocol/server-filesystem", "docs"': '"python3", "tests/docs/files_server.py"',
        },
        prints=["42\n"],
    ),
    "docs/openai-api.md": Page(
        replies=[*FOUND, *FOUND, *FOUND, "Nothing."],
        prints=["['selfhelp', ", "\n\nSources:\n\n- [1] Returns", "Nothing.\n"],
    ),
    "docs/operating.md": Page(
        replies=[UNKNOWN],
        before='selfhelp ask "How long can I return boots?"',
        varies=r"\d{4}-\d\d-\d\d|\d\d:\d\d",
    ),
    "docs/personas.md": Page(replies=["Nothing."]),
    "docs/quickstart.md": Page(
        replies=[*DEMO, *DEMO, *FOUND, *REFUNDED, "Hello."],
        types={"selfhelp chat": "Refund order 1042\na", "selfhelp chat --persona shop": "Hello"},
        prints=["createRefund", "113.90 EUR are left.", "Hello."],
    ),
    "docs/security.md": Page(varies=r"_\S+|\d{4}-\d\d-\d\d"),
    "docs/studio.md": Page(replies=[SUM], prints=["It is 59.7."]),
}
