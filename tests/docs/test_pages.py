"""What README, CONTRIBUTING and docs/ tell people to type is typed, page by page, and does what stands there."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, nullcontext

import pytest
import yaml

from service.evaluation.cases import read_cases
from tests.docs.pages import NOT_RUN, READERS, Page
from tests.docs.reading import PAGES, blocks
from tests.docs.sandbox import Sandbox, environment, programs
from tests.support import chroma_server, postgres
from tests.support.node_client import openai_for_node

NOT_RUN_NOW = re.compile(
    rf"(?:^|(?<=&& ))(?:[A-Z_]+=\S+ )*(?:{'|'.join(map(re.escape, NOT_RUN))})(?:\\\n|[^&#\n])*", re.MULTILINE
)
ID = re.compile(r"\b[0-9a-f]{12,64}\b")


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory):
    with programs(tmp_path_factory.mktemp("bin")) as folder:
        yield folder


@pytest.fixture
def sandbox(tmp_path, bin_folder, model_server):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "home").mkdir()
    shell = Sandbox(tmp_path / "checkout", environment(bin_folder, tmp_path / "home", model_server.url))
    yield shell
    shell.end()


@pytest.fixture
def beside(tmp_path, model_server):
    """Starts the servers beside Selfhelp that a page names, and gives their addresses by the page's."""

    def database():
        if not postgres.is_installed():
            pytest.skip("PostgreSQL is not installed")
        return postgres.serve()

    servers = {
        "postgresql://selfhelp:…@db/selfhelp": database,
        "http://chroma:8000": lambda: chroma_server.serve(tmp_path),
        "SELFHELP_BASE_URL=http://127.0.0.1:8000/v1": lambda: nullcontext(f"SELFHELP_BASE_URL={model_server.url}"),
    }
    with ExitStack() as stack:
        yield lambda blocks: {
            theirs: stack.enter_context(serve())
            for theirs, serve in servers.items()
            if any(theirs in text for _, text in blocks)
        }


class Reader:
    """Types what a page says, from top to bottom.

    Args:
        page: what the page needs.
        sandbox: where it is typed.
        blocks: the page's blocks: language and text.
    """

    def __init__(self, page: Page, sandbox: Sandbox, blocks: list[tuple[str, str]]) -> None:
        self._page, self._sandbox = page, sandbox
        self._python = [text for language, text in blocks if language == "python"]
        self.printed = ""

    def bash(self, text: str) -> None:
        for command, typed in self._page.types.items():
            line = re.compile(rf"^((?:uv run )?{re.escape(command)})(?=\s*(?:#.*)?$)", re.MULTILINE)
            text = line.sub(rf"\1 <<< '{typed}'", text)
        self.printed += self._sandbox.run(NOT_RUN_NOW.sub("true ", text))

    def console(self, text: str) -> None:
        for command, expected in re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            if NOT_RUN_NOW.match(command):
                continue
            before = len(self.printed)
            self.bash(command)
            shown = self.printed[before:]
            for theirs, ours in zip(ID.findall(expected), ID.findall(shown), strict=False):
                self._sandbox.instead[theirs] = ours
                shown = shown.replace(ours, theirs)
            assert self._same(shown) == self._same(expected), shown

    def python(self, text: str) -> None:
        """Run all snippets of the page as one program, where the last one stands."""
        if text is not self._python[-1]:
            return
        tests = [f"{name}()\n" for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]
        program = "\n".join([*self._python, *tests])
        (self._sandbox.folder / "snippets.py").write_text(self._sandbox.typed(program), encoding="utf-8")
        self.bash("python snippets.py")

    def toml(self, text: str) -> None:
        (self._sandbox.folder / "selfhelp.toml").write_text(self._sandbox.typed(text), encoding="utf-8")

    def javascript(self, text: str) -> None:
        (self._sandbox.folder / "snippet.cjs").write_text(self._sandbox.typed(text), encoding="utf-8")
        self.bash("node snippet.cjs")

    def json(self, text: str) -> None:
        if not text.startswith('{"id"'):
            json.loads(text)
            return
        path = self._sandbox.folder / "shown.jsonl"
        path.write_text(text, encoding="utf-8")
        assert read_cases(path)

    def yaml(self, text: str) -> None:
        yaml.safe_load(text)

    def _same(self, text: str) -> list[str]:
        text = re.sub(self._page.varies, "*", text) if self._page.varies else text
        return text.split()


@pytest.mark.usefixtures("one_day")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(filter(blocks, PAGES)))
def test_a_page_is_typed_from_top_to_bottom(name, sandbox, model_server, beside):
    page, shown = READERS.get(name, Page()), blocks(name)
    model_server.will(*page.replies)
    sandbox.instead.update(page.instead | beside(shown))
    reader = Reader(page, sandbox, shown)
    for path, text in page.files.items():
        (sandbox.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (sandbox.folder / path).write_text(text, encoding="utf-8")
    for text in (page.before, *(text for _, text in shown)):
        sandbox.own_ports(text)
    sandbox.run(page.before)
    if any(language == "javascript" for language, _ in shown):
        sandbox.environment["NODE_PATH"] = str(openai_for_node())
    for language, text in shown:
        getattr(reader, language)(text)
    for words in page.prints:
        assert words in reader.printed


@pytest.mark.parametrize("command", NOT_RUN)
def test_what_is_not_run_stands_in_a_page(command):
    assert any(command in text for name in PAGES for _, text in blocks(name)), NOT_RUN[command]
