"""Links and images checked in code: an answer leads only where it may, whatever a document made the model write.

It is read as CommonMark and GitHub's Markdown are, and where readers of Markdown may differ, as the one that would make
a link of it. Whatever is not understood to its end gets a space, so that it is text for all of them.
"""

from __future__ import annotations

import re

from agent.addresses import BARE, BEGINNINGS, LONGEST_ADDRESS, Addresses, without_punctuation
from agent.code_blocks import Code, Doubt, Taken

# The longest text that is ever held back.
LONGEST_LINK = LONGEST_ADDRESS + 400

IMAGE_REMOVED = "(image removed)"
LINK_REMOVED = "(link removed)"

_BEGUN = "|".join(sorted({re.escape(begin[:n]) for begin in BEGINNINGS for n in range(1, len(begin) + 1)}))
_SPECIAL = re.compile(
    rf"[\n\[\]]|!(?=\[|\Z)|<(?=[A-Za-z/!?]|\Z)|`+|~{{3,}}|~{{1,2}}\Z|(?P<bare>{BARE})"
    rf"|(?P<begun>(?<![a-zA-Z0-9])(?i:{_BEGUN}|data:[\w.+-]{{0,80}})\Z|:/?\Z)"
)
# Quantifiers with a plus give nothing back, so that no text takes long.
_LABEL = r"(?:[^\[\]\n`\\]|\\.|(?<!`)`[^`\n|]{1,100}+`(?!`)|\[[^\[\]\n`]{0,200}+\](?:\([^()\s]{0,500}+\))?+)"
_PLACE = r"(?:<(?P<angled>[^<>\n]{0,2000}+)>|(?P<plain>(?:[^\s()<>]|\([^\s()<>]{0,500}+\)){0,2000}+))"
_TITLE = r"(?:[ \t]++(?:\"[^\"\n]{0,200}+\"|'[^'\n]{0,200}+'|\([^()\n]{0,200}+\)))?+"
_LINK = re.compile(rf"!?\[(?P<label>{_LABEL}{{0,300}}+)\]\([ \t]{{0,9}}+{_PLACE}{_TITLE}[ \t]{{0,9}}+\)")
_LINK_BEGUN = re.compile(
    rf"(?:!|!?\[{_LABEL}{{0,800}}+(?:\\|`[^`\n|]{{0,100}}`?|\[[^\[\]\n`]{{0,200}}|\](?:\([^\n]*|\[[^\[\]\n]{{0,200}})?)?)\Z"
)
_REFERENCE_IMAGE = re.compile(rf"!\[{_LABEL}{{0,300}}+\](?:\[[^\[\]\n]{{0,200}}+\])?+")
_BRACKETS = re.compile(r"\[[\w ,^-]{0,40}\]")
_NUMBERS = re.compile(r"[0-9, ]+")
_TAG = re.compile(r"</?[A-Za-z!?][^<>\n]{0,300}>")
_TAG_BEGUN = re.compile(r"<(?:/?[A-Za-z!?][^<>\n]{0,300}|/?)\Z")
_AUTOLINK = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>")
_EMAIL = re.compile(r"<[^\s<>@:/]+@[^\s<>@:/]+>")
# Words alone lead nowhere: <id>, <your name>, <br>.
_WORDS = re.compile(
    r"</?(?!(?:script|style|iframe|object|embed|svg|math|template|textarea|title|xmp)\b)[\w -]+/?>", re.IGNORECASE
)
_ACTS = re.compile(r"<(?:[!?]|/?[A-Za-z][\w-]*[\s/>])")


class LinkCheck:
    """Takes a text in pieces and gives it back with only the links and images that may stand in it.

    A link that may not is reduced to its text. Links by reference do not survive. Code is left alone, as far as it is
    certain that every reader of Markdown takes it for code.

    Args:
        addresses: where the text may lead.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._held = "\n"  # what is held back, behind the character before it
        self._code = Code()
        self.removed = 0

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be shown."""
        return self._take(text.replace("\r", ""), ended=False)

    def finish(self) -> str:
        """Return what was held back."""
        return self._take("", ended=True)

    def whole(self, text: str) -> str:
        """Return a text that comes in one piece."""
        return self.feed(text) + self.finish()

    def _take(self, text: str, *, ended: bool) -> str:
        text = self._held + text
        position = 1
        shown: list[str] = []
        while position < len(text):
            step = self._code.fence_line if self._code.fenced else self._step
            taken = step(text, position, ended=ended)
            if taken is None:
                break
            position, piece = taken
            self._code.note(piece)
            shown.append(piece)
        self._held = text[position - 1 :]
        return "".join(shown)

    def _step(self, text: str, start: int, *, ended: bool) -> Taken | None:
        """Return where the next piece of the text ends and what is shown of it; None if more of it must come."""
        special = _SPECIAL.search(text, start)
        if special is None or special.start() > start:
            end = special.start() if special else len(text)
            return end, text[start:end]
        if special["begun"]:
            return (special.end(), special[0]) if ended else None
        if special["bare"]:
            return self._bare(special, complete=ended or special.end() < len(text))
        if text[start] == "\n":
            return start + 1, "\n"
        begins = {"`": self._code.begin, "~": self._code.begin, "<": self._angle, "]": self._closing}
        return begins.get(text[start], self._bracket)(text, start, ended=ended)

    def _bare(self, found: re.Match[str], *, complete: bool) -> Taken | None:
        if not complete:
            return None
        address = without_punctuation(found[0])
        if len(found[0]) < LONGEST_ADDRESS and self._addresses.may_lead_to(address):
            return found.start() + len(address), address
        return found.end(), self._removed(LINK_REMOVED)

    def _bracket(self, text: str, start: int, *, ended: bool) -> Taken | None:
        """Take a link, an image, or the beginning of what is neither."""
        limit = start + LONGEST_LINK
        link = _LINK.match(text, start, limit)
        if not ended and len(text) < limit and (link.end() == len(text) if link else _LINK_BEGUN.match(text, start)):
            return None
        if text[start] == "!":
            return self._image(text, start, link)
        if link:
            return link.end(), self._link(link, text[link.end() : link.end() + 1])
        if brackets := _BRACKETS.match(text, start):
            return brackets.end(), self._apart(brackets[0], text[brackets.end() : brackets.end() + 1])
        return start + 1, "["

    def _image(self, text: str, start: int, image: re.Match[str] | None) -> Taken:
        place = (image["angled"] or image["plain"] or "") if image else ""
        if image and self._addresses.may_load(place):
            return image.end(), f"![{self._cleaned(image['label'])}](<{place}>)"
        if image := image or _REFERENCE_IMAGE.match(text, start, start + LONGEST_LINK):
            return image.end(), self._removed(IMAGE_REMOVED)
        return start + 1, "! " if text.startswith("[", start + 1) else "!"

    def _link(self, link: re.Match[str], after: str) -> str:
        label = self._cleaned(link["label"])
        if link["angled"] and self._addresses.may_lead_to(link["angled"]):
            return f"[{label}](<{link['angled']}>)"
        if link["plain"] and self._addresses.may_lead_to(link["plain"]):
            return f"[{label}]({link['plain']})"
        self.removed += 1
        if _NUMBERS.fullmatch(label):  # a citation
            return self._apart(f"[{label}]", after)
        # Without its brackets, the label may come to touch what makes code.
        if "~~~" in label:
            self._code.doubted(Doubt.REST)
        elif "`" in label:
            self._code.doubted(Doubt.PARAGRAPH)
        return label or LINK_REMOVED

    def _apart(self, brackets: str, after: str) -> str:
        """Keep brackets from making a link with what comes after them."""
        return f"{brackets} " if after == "(" or (after == ":" and self._code.may_define) else brackets

    def _closing(self, text: str, start: int, *, ended: bool) -> Taken | None:
        if start + 1 == len(text) and not ended:
            return None
        return start + 1, "] " if text[start + 1 : start + 2] in ("(", ":") else "]"

    def _angle(self, text: str, start: int, *, ended: bool) -> Taken | None:
        """Take an address in angle brackets, a tag, or a lone bracket."""
        tag = _TAG.match(text, start)
        if tag is None:
            if not ended and _TAG_BEGUN.match(text, start):
                return None
            return start + 1, "< " if start + 1 < len(text) else "<"
        piece = self._tag(tag[0])
        return (tag.end(), piece) if piece else (start + 1, "< ")

    def _tag(self, tag: str) -> str | None:
        """Return what is shown of a text in angle brackets, or None where it is no tag."""
        if _AUTOLINK.fullmatch(tag):
            return tag if self._addresses.may_lead_to(tag[1:-1]) else self._removed(LINK_REMOVED)
        if _WORDS.fullmatch(tag):
            # Whoever reads it as HTML may read what follows as HTML too.
            self._code.doubted(Doubt.REST)
            return tag
        if _EMAIL.fullmatch(tag):
            return tag
        return self._removed(" ") if _ACTS.match(tag) else None

    def _cleaned(self, label: str) -> str:
        inner = LinkCheck(self._addresses)
        inner._code.doubted(self._code.doubt)
        text = inner.whole(label)
        self.removed += inner.removed
        self._code.doubted(inner._code.doubt)
        return text

    def _removed(self, instead: str) -> str:
        self.removed += 1
        return instead
