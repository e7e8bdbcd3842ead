"""Web sites, crawled over a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from agent.knowledge.documents import IndexReport, NoDocuments
from agent.knowledge.sources import Limits, Site, open_source
from agent.knowledge.sources.robots import Robots


@dataclass
class Reply:
    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "text/html"


def to(place: str) -> Reply:
    return Reply(status=302, headers={"Location": place})


@dataclass
class Web:
    """The server's pages by path, what was asked, and how many requests ran at the same time at most."""

    pages: dict[str, Reply | str] = field(default_factory=dict)
    every: Callable[[str], Reply] = lambda _: Reply(status=404)
    asked: list[str] = field(default_factory=list)
    agents: set[str | None] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def reply(self, path: str) -> Reply:
        page = self.pages.get(path) or self.every(path)
        return Reply(page) if isinstance(page, str) else page


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            web.asked.append(path)
            web.agents.add(self.headers["User-Agent"])
            reply = web.reply(path)
            if path.endswith("slow"):
                web.release.wait(60)
            content = reply.body.encode() if isinstance(reply.body, str) else reply.body
            headers = {"Content-Type": reply.media_type, "Content-Length": str(len(content)), **reply.headers}
            try:
                self.send_response(reply.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield web
        web.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
async def site(web: Web) -> AsyncIterator[Callable[..., Site]]:
    opened: list[Site] = []

    def site(path: str = "/", **limits: Any) -> Site:
        opened.append(Site(f"{web.url}{path}", Limits(**limits)))
        return opened[-1]

    yield site
    for each in opened:
        await each.close()


def links(*places: str) -> str:
    return "".join(f'<a href="{place}">x</a>' for place in places)


async def failure(find: Any, site: Any) -> str:
    with pytest.raises(NoDocuments) as raised:
        await find(site)
    return str(raised.value)


async def test_holds_what_can_be_reached_at_and_below_the_address(web, find) -> None:
    web.pages = {
        "/docs/": links("a.html", "b/", "#part", "/", "/docs", "/other/x", "photo.png", "mailto:ada@mail.example"),
        "/docs/a.html": links("./", "notes.md", "a.html?utm_source=mail#x", "guide.pdf", "film.mp4", "data.bin"),
        "/docs/b/": links("../a.html", "größe?page=2"),
        "/docs/b/größe?page=2": "ende",
        "/docs/notes.md": Reply("# Notes", media_type="text/plain"),
        "/docs/guide.pdf": Reply(b"%PDF", media_type="application/pdf"),
        "/docs/data.bin": Reply(b"x", media_type="application/x-binary"),
    }
    source = open_source(f"{web.url.upper()}/docs/#top")
    found, report = await find(source)
    assert source.key == f"{web.url}/docs/"
    assert {name: document.kind for name, document in found.items()} == {
        "index.html": "html",
        "a.html": "html",
        "b/": "html",
        "b/größe?page=2": "html",
        "notes.md": "markdown",
        "guide.pdf": "pdf",
    }
    assert report == IndexReport(skipped=[("data.bin", "not a kind of document that is read (application/x-binary)")])
    assert found["b/größe?page=2"].uri == f"{web.url}/docs/b/gr%C3%B6%C3%9Fe?page=2"
    assert found["guide.pdf"].read() == b"%PDF"
    assert sorted(web.asked) == sorted({"/robots.txt", *web.pages})
    assert web.agents == {"selfhelp"}
    await source.close()


async def test_knows_when_a_page_was_changed(web, site, find) -> None:
    web.pages = {
        "/": Reply(links("odd"), headers={"Last-Modified": formatdate(1_700_000_000, usegmt=True)}),
        "/odd": Reply("x", headers={"Last-Modified": "yesterday"}),
    }
    found, _ = await find(site())
    assert [found["index.html"].modified, found["odd"].modified] == [1_700_000_000, None]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        ("<meta charset=utf-8>Größe".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("<meta charset=latin-1>Größe".encode(), "text/html; charset=utf-8"),
    ],
)
async def test_the_encoding_that_the_server_names_counts(web, site, find, content, media_type) -> None:
    web.pages = {"/": Reply(content, media_type=media_type)}
    found, _ = await find(site())
    assert found["index.html"].read().endswith("Größe".encode())
    assert found["index.html"].read().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("media_type", ["text/html", "text/html; charset=nonsense", "text/html; charset=hex"])
async def test_without_a_known_encoding_a_page_is_left_as_it_is(web, site, find, media_type) -> None:
    web.pages = {"/": Reply(b"Gr\xf6\xdfe", media_type=media_type)}
    assert (await find(site()))[0]["index.html"].read() == b"Gr\xf6\xdfe"


class TestRobots:
    async def test_are_honoured(self, web, site, find) -> None:
        web.pages = {
            "/robots.txt": Reply("User-agent: *\nAllow: /\nDisallow: /private/", media_type="text/plain"),
            "/": links("private/a", "open"),
            "/open": "x",
        }
        found, report = await find(site())
        assert sorted(found) == ["index.html", "open"]
        assert report.skipped == [("private/a", "its robots.txt asks not to read it")]
        assert "/private/a" not in web.asked

    async def test_are_compared_with_links_while_the_loop_goes_on(self, web, site, find, monkeypatch) -> None:
        loop = asyncio.get_running_loop()

        def allows(_: Robots, target: str) -> bool:
            return asyncio.run_coroutine_threadsafe(asyncio.sleep(0, target != "/a"), loop).result()

        monkeypatch.setattr(Robots, "allows", allows)
        web.pages = {"/": links("a", "b"), "/a": "x", "/b": "x"}
        assert sorted((await find(site()))[0]) == ["b", "index.html"]

    async def test_that_forbid_the_first_page_are_an_error(self, web, site, find) -> None:
        web.pages = {"/robots.txt": "User-agent: selfhelp\nDisallow: /", "/": "x"}
        assert "its robots.txt asks not to read it" in await failure(find, site())
        assert web.asked == ["/robots.txt"]

    async def test_that_cannot_be_read_now_leave_the_site_alone(self, web, site, find) -> None:
        web.pages = {"/robots.txt": Reply(status=503), "/": "x"}
        assert "robots.txt cannot be read (503 Service Unavailable)" in await failure(find, site())
        assert web.asked == ["/robots.txt"]

    async def test_are_followed_on_the_same_server(self, web, site, find) -> None:
        web.pages = {"/robots.txt": to("/r.txt"), "/r.txt": "User-agent: *\nDisallow: /a", "/": links("a")}
        assert list((await find(site()))[0]) == ["index.html"]
        web.pages["/robots.txt"] = to("http://127.0.0.2:1/robots.txt")
        web.pages["/a"] = "x"
        assert sorted((await find(site()))[0]) == ["a", "index.html"]

    async def test_delay_puts_requests_one_after_another(self, web, site, find) -> None:
        web.pages = {"/robots.txt": "User-agent: *\nCrawl-delay: 9", "/": links(*map(str, range(5)))}
        web.every = Reply
        loop = asyncio.get_running_loop()
        start = loop.time()
        found, _ = await find(site(longest_delay=0.05))
        assert len(found) == 6
        assert loop.time() - start >= 5 * 0.05

    async def test_of_a_page_and_its_links_are_honoured(self, web, site, find) -> None:
        web.pages = {
            "/": links("noindex", "nofollow", "header") + '<a rel="nofollow" href="refused">x</a>',
            "/noindex": '<meta name="robots" content="noindex">' + links("below"),
            "/nofollow": '<meta name="robots" content="nofollow">' + links("hidden"),
            "/header": Reply("x", headers={"X-Robots-Tag": "none"}),
            "/below": "x",
        }
        found, report = await find(site())
        assert sorted(found) == ["below", "index.html", "nofollow"]
        assert sorted(report.skipped) == [
            ("header", "it asks not to be indexed"),
            ("noindex", "it asks not to be indexed"),
        ]
        assert not {"/hidden", "/refused"} & set(web.asked)


class TestRedirects:
    async def test_are_followed_within_the_site_and_no_page_is_read_twice(self, web, site, find) -> None:
        web.pages = {
            "/docs/": links("old", "older", "loop", "out", "away", "nowhere"),
            "/docs/old": to("new"),
            "/docs/older": to("/docs/old#x"),
            "/docs/new": "x",
            "/docs/loop": to("loop2"),
            "/docs/loop2": to("loop"),
            "/docs/out": to("/elsewhere"),
            "/docs/away": to("http://127.0.0.2:1/docs/"),
            "/docs/nowhere": to("javascript:x"),
        }
        found, report = await find(site("/docs/"))
        assert sorted(found) == ["index.html", "new"]
        assert sorted(report.skipped) == [
            ("away", "leads elsewhere: to http://127.0.0.2:1/docs/"),
            ("nowhere", "redirects to what is no address"),
            ("out", f"leads elsewhere: to {web.url}/elsewhere"),
        ]
        assert len(web.asked) == len(set(web.asked))

    async def test_to_the_address_with_a_slash_makes_it_the_folder(self, web, site, find) -> None:
        web.pages = {"/docs": to("/docs/"), "/docs/": links("a", "/b"), "/docs/a": "x", "/b": "x"}
        assert sorted((await find(site("/docs")))[0]) == ["a", "index.html"]

    async def test_to_another_server_are_an_error_that_names_it(self, web, site, find) -> None:
        web.pages = {"/": to("http://127.0.0.2:1/")}
        assert "leads elsewhere: to http://127.0.0.2:1/" in await failure(find, site())


async def test_copies_of_a_page_are_read_once_where_they_name_the_original(web, site, find) -> None:
    canonical = '<link rel="canonical" href="{}">'
    web.pages = {
        "/": links("tent?print=1", "a", "foreign"),
        "/tent?print=1": canonical.format("/tent"),
        "/tent": canonical.format("/tent"),
        "/a": canonical.format("/b") + links("c"),
        "/b": canonical.format("/a"),
        "/c": "x",
        "/foreign": canonical.format("https://other.example/x"),
    }
    found, report = await find(site())
    assert sorted(found) == ["b", "c", "foreign", "index.html", "tent"]
    assert sorted(report.skipped) == [("a", f"a copy of {web.url}/b"), ("tent?print=1", f"a copy of {web.url}/tent")]


async def test_of_two_pages_of_one_name_the_second_is_named(web, site, find) -> None:
    web.pages = {"/": links("index.html", "a/b"), "/index.html": "x", "/a/b": links("../a%2Fb")}
    found, report = await find(site())
    assert sorted(found) == ["a/b", "index.html"]
    assert sorted(report.skipped) == [
        ("a/b", f"{web.url}/a%2Fb has the name of another page"),
        ("index.html", f"{web.url}/index.html has the name of another page"),
    ]


class TestErrors:
    async def test_what_is_gone_is_skipped_and_what_fails_is_kept(self, web, site, find) -> None:
        web.pages = {
            "/": links("gone", "gone2", "secret", "fine"),
            "/gone": Reply("x", 404),
            "/gone2": Reply("x", 410),
            "/secret": Reply("x", 403),
            "/fine": "x",
        }
        found, report = await find(site())
        assert sorted(found) == ["fine", "index.html"]
        assert sorted(report.skipped) == [("gone", "404 Not Found"), ("gone2", "410 Gone")]
        assert (report.failed, report.incomplete) == ([("secret", "403 Forbidden")], "")

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_that_may_pass_leave_the_site_incomplete(self, web, site, find, status) -> None:
        web.pages = {"/": links("broken"), "/broken": Reply(status=status)}
        _, report = await find(site())
        assert report.failed[0][0] == "broken"
        assert report.failed[0][1].startswith(str(status))
        assert "what only it links to is not known" in report.incomplete

    async def test_a_page_that_never_answers_is_given_up(self, web, site, find) -> None:
        web.pages = {"/": links("slow", "fine"), "/slow": "x", "/fine": "x"}
        found, report = await find(site(seconds=2))
        assert sorted(found) == ["fine", "index.html"]
        assert [name for name, _ in report.failed] == ["slow"]
        assert report.incomplete

    async def test_a_page_that_breaks_off_fails(self, web, site, find) -> None:
        web.pages = {"/": links("cut"), "/cut": Reply("x", headers={"Content-Length": "100", "Connection": "close"})}
        _, report = await find(site())
        assert [name for name, _ in report.failed] == ["cut"]

    @pytest.mark.parametrize(
        ("page", "said"), [(Reply(status=404), "404 Not Found"), (Reply(status=500), "500 Internal Server Error")]
    )
    async def test_of_the_first_page_are_errors(self, web, site, find, page, said) -> None:
        web.pages = {"/": page}
        assert said in await failure(find, site())

    async def test_an_unreachable_server_is_an_error(self, find) -> None:
        source = Site("http://127.0.0.1:1/")
        assert "http://127.0.0.1:1/robots.txt cannot be read" in await failure(find, source)
        await source.close()

    @pytest.mark.parametrize("address", ["http://", "https://[::1", "https://user:password@docs.example/"])
    def test_what_is_no_address_is_an_error(self, address) -> None:
        with pytest.raises(NoDocuments, match="no address of a web site"):
            open_source(address)


class TestLimits:
    async def test_a_calendar_without_end_ends_and_is_incomplete(self, web, site, find) -> None:
        web.every = lambda path: Reply(links(f"?day={path.partition('=')[2]}1", f"?day={path.partition('=')[2]}2"))
        web.pages = {"/robots.txt": Reply(status=404)}
        found, report = await find(site(pages=20))
        assert len(found) == 20
        assert report.incomplete == "more than 20 pages"
        assert len(web.asked) == 21

    async def test_addresses_that_may_not_be_read_count_towards_a_limit(self, web, site, find) -> None:
        web.pages = {"/robots.txt": "User-agent: *\nDisallow: /p/", "/": links(*(f"p/{n}" for n in range(99)))}
        _, report = await find(site(pages=2))
        assert report.incomplete == "more than 20 addresses, most of them not to be read"
        assert len(report.skipped) == 19

    async def test_a_site_of_just_as_many_pages_is_complete(self, web, site, find) -> None:
        web.pages = {"/": links("a", "b", "./"), "/a": links("b", "/"), "/b": "x"}
        found, report = await find(site(pages=3))
        assert (len(found), report.incomplete) == (3, "")

    async def test_a_chain_ends_at_its_depth(self, web, site, find) -> None:
        web.every = lambda path: Reply(links(f"{path}a"))
        web.pages = {"/robots.txt": Reply(status=404)}
        found, report = await find(site(depth=2))
        assert sorted(found) == ["a", "aa", "index.html"]
        assert report.skipped == [("aaa", "more than 2 links away from the first page")]

    @pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
    async def test_a_huge_page_is_skipped_however_it_is_packed(self, web, site, find, headers) -> None:
        huge = b"x" * 5000
        body = gzip.compress(huge) if headers else huge
        web.pages = {
            "/": links("huge", "a.txt"),
            "/huge": Reply(body, headers=headers),
            "/a.txt": Reply(huge, media_type="text/plain"),
        }
        found, report = await find(site(page_bytes=2**12))
        assert sorted(found) == ["a.txt", "index.html"]
        assert report.skipped == [("huge", "larger than 0.00391 MB")]

    async def test_nested_packing_is_refused(self, web, site, find) -> None:
        web.pages = {"/": links("a"), "/a": Reply("x", headers={"Content-Encoding": "gzip, gzip"})}
        _, report = await find(site())
        assert report.failed == [("a", "it is packed in a way that was not asked for")]

    async def test_past_the_limit_for_all_together_the_rest_is_left(self, web, site, find) -> None:
        web.every = lambda path: Reply(links(f"{path}a") + "x" * 2**20)
        web.pages = {"/robots.txt": Reply(status=404)}
        found, report = await find(site(site_bytes=2**21))
        assert len(found) == 2
        assert report.incomplete == "more than 2 MB"


class TestWhatWasRead:
    async def test_stays_until_the_next_crawl_or_the_end_of_the_site(self, web, find) -> None:
        web.pages = {"/": "first"}
        site = Site(web.url)
        first = (await find(site))[0]["index.html"]
        assert first.read() == b"first"
        second = (await find(site))[0]["index.html"]
        with pytest.raises(FileNotFoundError):
            first.read()
        assert second.read() == b"first"
        del site
        gc.collect()
        with pytest.raises(FileNotFoundError):
            second.read()

    async def test_leaves_nothing_behind_when_it_is_closed(self, web, find, monkeypatch, tmp_path) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        web.pages = {"/": "x"}
        site = Site(web.url)
        await find(site)
        assert len(list(Path(tmp_path).iterdir())) == 1
        await site.close()
        assert list(Path(tmp_path).iterdir()) == []

    async def test_a_crawl_that_is_given_up_stops_asking(self, web, site) -> None:
        web.pages = {"/": links("slow", "a")}
        web.every = lambda _: Reply()
        report = IndexReport()
        async with aclosing(site(seconds=60).find(report)) as documents:
            assert (await anext(documents)).name == "index.html"
            assert (await anext(documents)).name == "a"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert report == IndexReport()
