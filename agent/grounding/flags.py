"""What an answer says that nothing bears out: checked in code when the answer is settled, without a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from langchain_core.messages import AnyMessage

from agent.grounding import names
from agent.grounding.contradictions import contradictions
from agent.grounding.evidence import Evidence, Given
from agent.grounding.language import reads_as_english
from agent.grounding.names import Name
from agent.grounding.numbers import Number, numbers
from agent.grounding.sentences import Sentence, sentences
from agent.grounding.sums import sums
from agent.grounding.support import rests_on_nothing
from agent.state import Flag, sources_of, turn_of

# Characters of an answer that are checked, and flags that are given.
LONGEST_ANSWER = 30_000
MOST_FLAGS = 50

NOWHERE = "in no passage, result or question"
UNSUPPORTED = "This answer rests on no document or result."


def flags_of(answer: str, messages: Sequence[AnyMessage], own: Iterable[str] = ()) -> list[Flag]:
    """Return what is to be doubted in an answer.

    Args:
        answer: the answer, with its citations checked.
        messages: the thread before it, with the turn's results at its end.
        own: other texts that it may repeat, such as the persona's.
    """
    evidence = Evidence(messages, own)
    said = list(sentences(answer[:LONGEST_ANSWER]))
    english = reads_as_english(" ".join(sentence.text for sentence in said))
    found = [flag for sentence in said for flag in _of_sentence(sentence, evidence, english=english)]
    if rests_on_nothing(said, messages, evidence):
        found.append(Flag(kind="unsupported", text="", detail=UNSUPPORTED))
    found += _contradictions(said, messages)
    return list({(flag["kind"], flag["text"], flag["detail"]): flag for flag in found}.values())[:MOST_FLAGS]


def _of_sentence(sentence: Sentence, evidence: Evidence, *, english: bool) -> Iterator[Flag]:
    marks = names.marks(sentence.text)
    text = names.masked(sentence.text, marks)
    for mark in marks:
        if not any(given.holds(mark) for given in evidence.all()):
            yield Flag(kind="name", text=mark.text, detail=NOWHERE)
    if english and not sentence.heading:
        for name in names.names(text):
            if not _known(name, evidence):
                yield Flag(kind="name", text=name.text, detail=NOWHERE)
                if name.number:  # one thing is flagged once
                    text = text.replace(name.text, "·" * len(name.text))
    yield from _of_numbers(text, sentence, evidence)


def _of_numbers(text: str, sentence: Sentence, evidence: Evidence) -> Iterator[Flag]:
    totals = {total.start: total for total in sums(text)}
    for number in numbers(text):
        total = next((total for start, total in totals.items() if number.start <= start < number.end), None)
        if total is not None:
            if not total.holds:
                yield Flag(kind="number", text=number.text, detail=f"{total.text} is {total.right}")
        elif detail := _doubt(number, sentence, evidence):
            yield Flag(kind="number", text=number.text, detail=detail)


def _doubt(number: Number, sentence: Sentence, evidence: Evidence) -> str | None:
    """Return why a number is to be doubted: nothing bears it out, or only a passage that the sentence does not cite."""
    if not number.needs:
        return None
    cited = [given for place, given in evidence.sources.items() if place in sentence.cited]
    if not cited:
        held = any(_bears_out(given, number) for given in evidence.all())
        return None if held or _counts_nothing(number, evidence) else NOWHERE
    if any(_bears_out(given, number) for given in (*cited, *evidence.others())):
        return None
    elsewhere = [str(place) for place, given in evidence.sources.items() if _bears_out(given, number)]
    if elsewhere:
        return f"not in the passage cited, but in [{', '.join(elsewhere)}]"
    return None if _counts_nothing(number, evidence) else NOWHERE


def _bears_out(given: Given, number: Number) -> bool:
    return not number.needs.isdisjoint(given.keys) or given.says(number.text)


def _counts_nothing(number: Number, evidence: Evidence) -> bool:
    """Whether a number in words counts what nothing else counts: "three ways" of the answer's own."""
    if not number.in_words or number.unit:
        return False
    return not any(("counted", number.counts) in given.keys for given in evidence.all())


def _known(name: Name, evidence: Evidence) -> bool:
    """Whether each word of a name stands somewhere, and its number behind it wherever it has one."""
    missing = set(name.words)
    numbered: set[str] = set()
    for given in evidence.all():
        missing -= given.words
        if name.number:
            numbered |= given.numbered.get(name.words[-1], set())
        if not missing and (not name.number or name.number in numbered):
            return True
    return not missing and not numbered


def _contradictions(said: Sequence[Sentence], messages: Sequence[AnyMessage]) -> Iterator[Flag]:
    """Yield the contradictions among the turn's passages and those cited, of which an answer cites one at least."""
    cited = {number for sentence in said for number in sentence.cited}
    in_turn = sources_of(turn_of(messages)).keys()
    sources = [source for number, source in sources_of(messages).items() if number in in_turn or number in cited]
    for each in contradictions(sources) if cited else ():
        if not cited.isdisjoint((each.first, each.second)):
            detail = f"[{each.first}] says {each.said}, [{each.second}] says {each.otherwise}"
            yield Flag(kind="contradiction", text="", detail=detail)
