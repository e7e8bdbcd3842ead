"""Text that others wrote, made fit to be shown to a model: what a document says is data.

Two things are taken from such text: what a person cannot see in it, and what would read as part of the prompt's frame.
Ordinary text comes through as it is, byte for byte.
"""

from __future__ import annotations

import re

# Characters with no look of their own: Unicode's Default_Ignorable_Code_Point, controls, surrogates, annotations,
# private use and noncharacters. Tags and variation selectors among them can carry a whole text that nobody sees.
_HIDDEN = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
_LETTER = "\u0620-\u109f\u1780-\u17b3\u17b6-\u17ff\u1810-\u18af\ua840-\uabff"
_EMOJI = "©®\u203c\u2049\u2122\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
# Joiners spell words of Arabic and Indic scripts and join emoji, and the selectors U+FE0E and U+FE0F choose how an
# emoji looks: they stay where they do that, one at a time. Elsewhere they are as invisible as the rest.
_UNSEEN = re.compile(
    rf"[{_HIDDEN}]"
    rf"|(?<![{_EMOJI}])[\ufe0e\ufe0f]"
    rf"|\u200c(?!(?<=[{_LETTER}]\u200c)[{_LETTER}])"
    rf"|\u200d(?!(?:(?<=[{_LETTER}]\u200d)[{_LETTER}]|(?:(?<=[{_EMOJI}]\u200d)|(?<=[{_EMOJI}]\ufe0f\u200d))[{_EMOJI}]))"
)
_LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028\u2029]")

# What chat templates make the structure of a conversation of. llama.cpp and Ollama read it in the middle of a text too.
_NAME = r"[^\s<>|\uff5c]{1,40}"
_TEMPLATE = re.compile(
    rf"<(?=[|\uff5c]{_NAME}[|\uff5c]?>|{_NAME}[|\uff5c]>"
    r"|/?(?:s|bos|eos|think|system|tool_call|tool_calls|tool_response|tools|start_of_turn|end_of_turn)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)
_LINE = r"(?:\A|(?<=[\n\r]))(?P<indent>[ \t]*)"
# "[3] Title" at the beginning of a line is how a passage begins.
_HEADING = re.compile(_LINE + r"\[(?P<number>[0-9]{1,9})\](?=[ \t]+\S)")
_TURN = re.compile(
    _LINE + r"(?=Result \$\{|Answer from these results, as JSON\.|\{\"(?:steps\":\[\{\"tool|answer\":\[\{\"about)\""
    r"|(?:Human|Assistant|SYSTEM):|\#{1,6}[ \t]*(?:System|Human|User|Assistant|Instructions?|Response)[ \t]*:)"
)


def visible(text: str) -> str:
    """Return a text without the characters that a person cannot see but a model reads.

    Args:
        text: any text. Tabs, line feeds and carriage returns stay; other ends of lines become line feeds.
    """
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))


def quoted(text: str) -> str:
    """Return what is visible of a text, with nothing left in it that reads as the beginning of something else.

    Marks of chat templates get a space, "[3] …" at the beginning of a line becomes "(3) …", and a line that looks like
    another speaker's, or like the next result, is quoted with "> ".

    Args:
        text: text of a document or of a tool's result.
    """
    text = _TEMPLATE.sub(lambda mark: f"{mark[0]} ", visible(text))
    return _TURN.sub(r"\g<indent>> ", _HEADING.sub(r"\g<indent>(\g<number>)", text))


def quoted_line(text: str) -> str:
    """Return a text as `quoted` does, in one line: a title cannot go on below itself."""
    return quoted(" ".join(visible(text).splitlines()))
