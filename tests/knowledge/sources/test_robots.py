"""What robots.txt allows: the examples of RFC 9309 and what sites get wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.sources.robots import parse_robots


@pytest.mark.parametrize(
    ("rules", "allowed", "refused"),
    [
        ("", ["/", "/a"], []),
        ("Disallow:", ["/", "/a"], []),
        ("Disallow: /", [], ["/", "/a"]),
        ("Disallow: /*", [], ["/", "/a"]),
        ("Disallow: /a", ["/", "/b/a"], ["/a", "/abc", "/a/b?c"]),
        ("Allow: /\nDisallow: /private/", ["/", "/private"], ["/private/x"]),
        ("Disallow: /docs\nAllow: /docs/open", ["/docs/open/a"], ["/docs/a"]),
        ("Disallow: /page\nAllow: /page", ["/page"], []),
        ("Disallow: /*.pdf$", ["/a.pdf.html", "/a.pdf?x"], ["/a.pdf", "/x/b.pdf", "/a.pdf.pdf"]),
        ("Disallow: /*?sort=", ["/a?page=1"], ["/a?sort=up"]),
        ("Disallow: /exact$", ["/exact/", "/exacts"], ["/exact"]),
        ("Disallow: /a*b*c", ["/acb", "/ab"], ["/axbxc", "/abcd"]),
        ("Disallow: /gr%C3%B6%C3%9Fe # comment", ["/gr"], ["/gr%C3%B6%C3%9Fe/a"]),
        ("Disallow: /größe", ["/gr"], ["/gr%C3%B6%C3%9Fe/a"]),
        ("disallow : /a\nnonsense\n<html>", ["/b"], ["/a"]),
    ],
)
def test_the_longest_rule_counts(rules, allowed, refused) -> None:
    robots = parse_robots(f"\ufeffUser-agent: *\n{rules}\n")
    assert [path for path in allowed + refused if robots.allows(path)] == allowed


GROUPS = """
Disallow: /nobody
User-agent: other
Disallow: /
User-agent: SelfHelp/2
User-agent: third
Sitemap: https://docs.example/sitemap.xml
Disallow: /own
Crawl-delay: 2.5

User-agent: *
Disallow: /all
User-agent: selfhelp
Disallow: /again
"""


def test_the_group_that_names_the_agent_counts_alone() -> None:
    robots = parse_robots(GROUPS)
    assert [path for path in ("/nobody", "/own", "/again", "/all") if not robots.allows(path)] == ["/own", "/again"]
    assert robots.delay == 2.5
    assert not parse_robots(GROUPS, "unnamed").allows("/all")


@pytest.mark.parametrize("delay", ["-1", "soon", "1e9", "nan", "inf", ""])
def test_a_delay_that_is_none_does_not_count(delay) -> None:
    assert parse_robots(f"User-agent: *\nCrawl-delay: {delay}").delay == 0


@given(st.text(), st.text())
def test_any_text_is_read(text, path) -> None:
    parse_robots(f"User-agent: *\nDisallow: {text}\n{text}").allows(f"/{path}")


def test_many_wildcards_take_no_time() -> None:
    robots = parse_robots("User-agent: *\nDisallow: /" + "*a" * 5000 + "b")
    assert robots.allows("/" + "a" * 2000)
