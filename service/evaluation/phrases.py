"""What an answer says beside facts: English phrases for not knowing, and for asking back."""

from __future__ import annotations

import re

_CITATION = re.compile(r"\[[\d\s,]+\]")
_FOLDED = str.maketrans("\u2018\u2019\u201c\u201d\u2010\u2011\u2012\u2013\u2014\u2212\u00a0", "''\"\"------ ")

_ASKS_BACK = re.compile(
    r"\?|\b(please|could you|can you|kindly) (tell|give|send|provide|share|specify|say|let)\b|\blet me know\b"
    r"|\bI (would )?need (to know|the|your|more)\b|\b(depends on|tell me) (which|what|your|the)\b",
    re.IGNORECASE,
)
_NOT = r"(?:n't|\s+not)(?: (?:currently|yet|really|actually))?"
_REFUSES = re.compile(
    # Who answers does not know,
    rf"\b(?:I|we) (?:do|did|could|can|would){_NOT} (?:be able to )?(?:know|find|say|tell|answer|see|confirm|provide"
    r"|have (?:\w+ ){0,3}(?:information|details?|answers?|data|documents?|records?))\b"
    r"|\b(?:can't|cannot|unable to|could not|couldn't|not able to) (?:find|answer|say|tell|confirm|determine)\b"
    r"|\b(?:I|we)(?:'m| am|'re| are) not (?:sure|certain|aware)\b|\b(?:I|we) (?:lack|have no)\b"
    # or what it answers from does not hold the answer.
    rf"|\b(?:documents?|documentation|results?|passages?|sources?|information|data|pages?|texts?)\b[^.?!]{{0,60}}"
    rf"\b(?:do|does|did){_NOT} (?:say|mention|state|specify|contain|include|hold|cover|tell|describe|list|give)\b"
    rf"|\b(?:is|are|was|were){_NOT} (?:mentioned|stated|specified|documented|described|covered|known"
    r"|(?:to be )?found|(?:given |listed )?in (?:the|our|my) (?:documents?|documentation|results?|data))\b"
    r"|\bno (?:\w+ )?(?:information|mention|details?|records?)\b|\bnothing (?:about|in|on|that)\b|\bnowhere\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Return a text with one kind of quote, dash and space, and without citations."""
    return " ".join(_CITATION.sub("", text.translate(_FOLDED)).split())


def refuses(answer: str) -> bool:
    """Whether an answer says that it does not know, in English."""
    return bool(_REFUSES.search(plain(answer)))


def asks_back(answer: str) -> bool:
    """Whether an answer asks for what it lacks, in English."""
    return bool(_ASKS_BACK.search(plain(answer)))
