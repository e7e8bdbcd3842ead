"""Whether an answer states facts that rest on nothing: no passage, no result, nothing said before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from langchain_core.messages import AnyMessage, ToolMessage

from agent.grounding import names
from agent.grounding.evidence import Evidence
from agent.grounding.language import FUNCTION_WORDS
from agent.grounding.numbers import numbers
from agent.grounding.sentences import Sentence
from agent.state import question_of, turn_of
from agent.toolset import SEARCH

# A sentence with so many of its words from what was found or said before goes on from there.
FAMILIAR = 0.6
_NOTHING = ("", "[]", "{}", "null", "[] (nothing found)")

_OPENING = re.compile(
    r"(?:(?:hello|hi|hey|sure|certainly|of course|great|ok(?:ay)?|well|yes|no|thanks?(?: you)?|sorry|unfortunately"
    r"|ja|nein|oui|non|sì|sí|leider|helaas)\b[ ,.!–-]*){1,3}",
    re.IGNORECASE,
)
# What greets, thanks, asks back, speaks of the assistant or of what the person said.
_SMALL_TALK = re.compile(
    r"(?:you(?:['’]re| are) welcome|you (?:said|asked|told|wrote|mentioned|want)\b|good(?:bye|\b)|bye\b|have a\b"
    r"|welcome\b|please\b(?! (?:also )?note\b)|let me\b"
    r"|feel free|ask me|tell me|thank|glad|happy|that depends|nothing yet"
    r"|i\b(?!.{0,12}\b(?:confirm|assure|checked|guarantee))|my\b(?! (?:records?|data|documents?|sources?|results?)\b))",
    re.IGNORECASE,
)
_NOT_KNOWN = re.compile(
    r"\b(?:do(?:es)?|did|could|can|was|were)(?: not|n['’]t) (?:know|say|mention|find|contain|tell|help|able)"
    r"|\b(?:do(?:es)?|did)(?: not|n['’]t) have (?:any )?information"
    r"|\bcannot (?:find|tell|say|answer|help|look)|\bno (?:information|mention|idea|such|records?|details?|answers?)"
    r"|\bnothing (?:in|about|was found)"
    r"|\bnot (?:sure|found|in (?:our|the) documents|known)|\bunable to"
    r"|weiß (?:es |das |ich )*nicht|keine (?:informationen|angaben)|nicht gefunden|nichts gefunden"
    r"|ne sais pas|pas d['’]information|weet (?:ik )?(?:het |dat )?niet|geen informatie"
    r"|non lo so|nessuna informazione|no lo sé|no encuentro",
    re.IGNORECASE,
)
# What speaks of the company, or of what its customers may do and get.
_COMPANY = re.compile(
    r"\b(?:we|our|ours|us|wir|uns(?:er\w*)?|nous|notre|nos|wij|onze?|noi|nostr[aoie]|nosotros|nuestr[oa]s?)\b"
    r"|\byou(?:['’]ll| can| may| will| must| need| get| receive| earn| pay| are entitled| have to| do not need)\b"
    r"|\byour [\w-]+ (?:is|are|was|were|has|have|will|can|costs?|arrives?)\b"
    r"|\b(?:Sie (?:können|haben|müssen)|vous (?:pouvez|avez)|u (?:kunt|heeft)|può|puede)\b",
    re.IGNORECASE,
)
_NONE = re.compile(r"\b(?:there (?:is|are|was|were)|you have) no\b", re.IGNORECASE)
_POINTS_BACK = re.compile(r"(?:it|they|this|that|these|those)\b", re.IGNORECASE)
_DEFINITION = re.compile(r"an? [\w -]{1,40} (?:is|are|means)\b", re.IGNORECASE)


def rests_on_nothing(said: Sequence[Sentence], messages: Sequence[AnyMessage], evidence: Evidence) -> bool:
    """Whether an answer states facts about the company although nothing bears them out.

    Args:
        said: the answer's sentences.
        messages: the thread, without the answer.
        evidence: what is in the thread.
    """
    if any(_found(message) for message in turn_of(messages)):
        return False
    if any(number in evidence.sources for sentence in said for number in sentence.cited):
        return False
    question = question_of(messages)
    facts = [sentence.text for sentence in said if states_a_fact(sentence.text, question)]
    if any(_came_back_empty(message) for message in turn_of(messages)):
        facts = [fact for fact in facts if not _NONE.search(fact)]
    return any(not _familiar(_behind_opening(fact), evidence) for fact in facts)


def states_a_fact(sentence: str, question: str) -> bool:
    """Whether a sentence states a fact about the company, its products, rules or data.

    Args:
        sentence: a sentence of the answer.
        question: what was asked.
    """
    said = _behind_opening(sentence)
    if not said or said.rstrip('"”’) ').endswith("?"):
        return False
    if _SMALL_TALK.match(said) or _NOT_KNOWN.search(sentence) or _DEFINITION.match(said):
        return False
    if _COMPANY.search(said) or _tells_a_number(said, question):
        return True
    return not said.endswith("!") and (bool(_POINTS_BACK.match(said)) or bool(_content([said]) & _content([question])))


def _behind_opening(sentence: str) -> str:
    opening = _OPENING.match(sentence)
    return sentence[opening.end() :] if opening else sentence


def _found(message: AnyMessage) -> bool:
    return isinstance(message, ToolMessage) and message.status == "success" and str(message.text) not in _NOTHING


def _came_back_empty(message: AnyMessage) -> bool:
    """Whether a tool answered that there is nothing. That a search found nothing tells no such thing."""
    return isinstance(message, ToolMessage) and message.status == "success" and message.name != SEARCH


def _tells_a_number(sentence: str, question: str) -> bool:
    asked = {key for number in numbers(question) for key in number.gives}
    return any(number.needs and number.needs.isdisjoint(asked) for number in numbers(sentence))


def _familiar(sentence: str, evidence: Evidence) -> bool:
    wanted = _content([sentence])
    if not wanted:
        return True
    told = (given for given in evidence.all() if not given.asked)
    return any(len(wanted & given.words) >= FAMILIAR * len(wanted) for given in told)


def _content(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in names.words(text)} - FUNCTION_WORDS
