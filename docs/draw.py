"""Draws the pictures of README and concepts.md: `uv run python docs/draw.py`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
# Each picture is a card of its own colours, to be read on any page; it is dark where the reader's system is.
STYLE = """
svg { --card: #fbfcfc; --ink: #1f2933; --faint: #66727f; --line: #8a97a3; --plain: #eef1f3;
      --model: #cdeae6; --tool: #dbe7fb; --person: #fde7c3; --store: #e7e0f5; --bad: #fbdcd9 }
@media (prefers-color-scheme: dark) { svg { --card: #1b222a; --ink: #e4e9ed; --faint: #9aa7b3; --line: #76838f;
      --plain: #2a333c; --model: #14504a; --tool: #27406b; --person: #664814; --store: #443766; --bad: #6b2a26 } }
text { font: 13px system-ui, "Helvetica Neue", Arial, sans-serif; fill: var(--ink) }
.code { font: 12px ui-monospace, Menlo, "DejaVu Sans Mono", monospace }
.faint { fill: var(--faint); font-size: 12px }
.bold { font-weight: 600 }
path { fill: none; stroke: var(--line); stroke-width: 1.5 }
.dashed { stroke-dasharray: 4 4 }
rect { stroke: none }
"""
HEAD = '<path d="M0,0 L7,3.5 L0,7 z" style="fill: var(--line); stroke: none"/>'
MARKER = f'<marker id="head" orient="auto" refX="6.5" refY="3.5" markerWidth="8" markerHeight="8">{HEAD}</marker>'

Point = tuple[float, float]


class Picture:
    """A picture that is drawn shape by shape. All measures are pixels.

    Args:
        width: its width.
        height: its height.
        title: what it shows, for those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        self._title = title
        self._shapes = [f'<rect width="{width}" height="{height}" rx="10" style="fill: var(--card)"/>']

    def box(self, at: Point, size: Point, kind: str, *lines: str, style: str = "") -> None:
        """Draw a box with lines of text in its middle."""
        (x, y), (width, height) = at, size
        fill = f"fill: var(--{kind})"
        self._shapes.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" style="{fill}"/>')
        first = y + height / 2 + 4.5 - 8 * (len(lines) - 1)
        rest = style.replace("bold", "")
        for number, line in enumerate(lines):
            self.text((x + width / 2, first + 16 * number), line, style if number == 0 else f"{rest} faint", "middle")

    def text(self, at: Point, text: str, style: str = "", anchor: str = "start") -> None:
        """Write a line."""
        place = f'x="{at[0]}" y="{at[1]}" text-anchor="{anchor}"'
        self._shapes.append(f'<text {place} class="{style.strip()}" xml:space="preserve">{escape(text)}</text>')

    def arrow(self, *points: Point, style: str = "") -> None:
        """Draw a line through points that ends in a head."""
        drawn = "M" + " L".join(f"{x},{y}" for x, y in points)
        self._shapes.append(f'<path d="{drawn}" class="{style}" marker-end="url(#head)"/>')

    def save(self, name: str) -> None:
        """Write the picture into its file."""
        inside = "\n".join([f"<title>{escape(self._title)}</title>", f"<style>{STYLE}</style>", MARKER, *self._shapes])
        text = f'<svg xmlns="http://www.w3.org/2000/svg" {self._size} role="img">\n{inside}\n</svg>\n'
        (IMAGES / f"{name}.svg").write_text(text, encoding="utf-8")


# The edges of the graph, each with what goes along it.
EDGES = {
    ("__start__", "planner"): "question",
    ("planner", "executor"): "calls",
    ("executor", "responder"): "results",
    ("responder", "executor"): "more calls",
    ("planner", "__end__"): "text: the answer, one model call",
    ("executor", "__end__"): "a reply that the plan wrote",
    ("responder", "__end__"): "text",
}


def graph() -> None:
    """Draw the graph: its nodes in a row, what skips some below, and what goes back above.

    Left out is the way of a plan that fails its check: the responder is then asked for another one.
    """
    picture = Picture(760, 190, "The graph: planner, executor, responder")
    middle, size = 76, (120, 44)
    lefts = {"__start__": 20, "planner": 144, "executor": 322, "responder": 500, "__end__": 690}
    for name, left in lefts.items():
        if name.startswith("__"):
            picture.box((left, middle - 16), (50, 32), "plain", name.strip("_"), style="faint")
            continue
        kind = "tool" if name == "executor" else "model"
        said = {"planner": "one streamed call", "executor": "the calls as a DAG", "responder": "one streamed call"}
        picture.box((left, middle - 22), size, kind, name, said[name], style="bold")
    for source, target in (
        ("__start__", "planner"),
        ("planner", "executor"),
        ("executor", "responder"),
        ("responder", "__end__"),
    ):
        left = lefts[source] + (50 if source.startswith("__") else 120)
        picture.arrow((left + 2, middle), (lefts[target] - 3, middle))
        if source != "__start__":
            picture.text(((left + lefts[target]) / 2, middle - 7), EDGES[source, target], "faint", "middle")
    picture.arrow((560, middle - 24), (560, 24), (382, 24), (382, middle - 25))
    picture.text((471, 18), EDGES["responder", "executor"], "faint", "middle")
    picture.arrow((382, middle + 24), (382, 130), (706, 130), (706, middle + 19))
    picture.text((540, 124), EDGES["executor", "__end__"], "faint", "middle")
    picture.arrow((204, middle + 24), (204, 162), (724, 162), (724, middle + 19))
    picture.text((320, 156), EDGES["planner", "__end__"], "faint", "middle")
    picture.save("graph")


def turn() -> None:
    """Draw a turn along time, and the same question in a loop below it."""
    picture = Picture(760, 300, "A turn along time, beside a loop")
    picture.text((20, 28), "A plan: two model calls", "bold")
    _bar(picture, 40, 20, 190, "model", "planner writes 4 calls")
    for row, (start, length, name) in enumerate(
        ((86, 110, "1 customer"), (196, 110, "2 order"), (306, 110, "3 shipment"), (140, 100, "4 search"))
    ):
        _bar(picture, 68 + 26 * row, start, length, "tool", name)
    _bar(picture, 40, 420, 120, "model", "responder")
    picture.text((440, 142), "Steps start while the plan is still being written,", "faint")
    picture.text((440, 158), "each the moment its inputs are there.", "faint")
    picture.text((20, 202), "A loop: a model call after every step", "bold")
    at = 20
    for step in ("customer, search", "order", "shipment"):
        _bar(picture, 214, at, 76, "model", "model")
        _bar(picture, 240, at + 76, 110, "tool", step)
        at += 186
    _bar(picture, 214, at, 120, "model", "model: answer")
    picture.arrow((20, 280), (740, 280))
    picture.text((740, 274), "time", "faint", "end")
    picture.save("turn")


def plan() -> None:
    """Draw a plan as what it is: calls that wait for one another, and for nothing else."""
    picture = Picture(760, 196, "A plan: a DAG of calls")
    size = (150, 46)
    places = {"1": (24, 22), "2": (214, 22), "3": (404, 22), "4": (24, 124)}
    said = {
        "1": ("1  customer", "ada@example.com"),
        "2": ("2  order", "${1.orders[0]}"),
        "3": ("3  shipment", "${2.tracking}"),
        "4": ("4  search", "late parcels"),
    }
    for name, at in places.items():
        picture.box(at, size, "tool", *said[name], style="code")
    picture.box((610, 70), (126, 50), "model", "responder", "all results", style="bold")
    picture.arrow((174, 45), (211, 45))
    picture.arrow((364, 45), (401, 45))
    picture.arrow((554, 45), (582, 45), (582, 88), (607, 88))
    picture.arrow((174, 147), (582, 147), (582, 104), (607, 104))
    picture.text((200, 96), "2 waits for 1, and 3 for 2. Nothing but the answer waits for 4.", "faint")
    picture.text((200, 168), "Where 2 fails, 3 is skipped, and 4 goes on.", "faint")
    picture.save("plan")


def references() -> None:
    """Draw how a reference takes a part of a result, alone, within text, and for every element."""
    picture = Picture(760, 250, "References: parts of earlier results")
    picture.text((24, 30), "result of call 1", "faint")
    picture.box((24, 42), (196, 150), "plain")
    for row, line in enumerate(('{"name": "Ada",', ' "total": 88.9,', ' "orders": [', "   1012,", "   1042 ]}")):
        picture.text((38, 70 + 25 * row), line, "code")
    picture.text((300, 30), "written in the plan", "faint")
    picture.text((560, 30), "as it runs", "faint")
    rows = (
        (66, 'amount="${1.total}"', ("amount=88.9",), "alone: keeps its type"),
        (116, 'text="Dear ${1.name}"', ('text="Dear Ada"',), "within text: written out"),
        (174, 'order_id="${1.orders[*]}"', ("order_id=1012", "order_id=1042"), "a list for one value: a call each"),
    )
    for y, written, runs, why in rows:
        picture.arrow((224, y - 5), (292, y - 5))
        picture.text((300, y), written, "code")
        picture.text((300, y + 17), why, "faint")
        for number, run in enumerate(runs):
            spread = 15 * (2 * number - 1) if len(runs) > 1 else 0
            picture.arrow((500, y - 5), (552, y - 5 + spread))
            picture.text((560, y + spread), run, "code")
    picture.text(
        (24, 228), "$100, ${HOME} and $1 are text. What a result contains is never read as a reference.", "faint"
    )
    picture.save("references")


def effects() -> None:
    """Draw the life of a write, with a person's consent and with a crash."""
    picture = Picture(760, 280, "A write: consent, intent, outcome, and what follows a crash")
    top, size = 50, (122, 50)
    steps = (
        ("plain", "plan is checked", "and on record"),
        ("person", "a person is asked", "the exact request"),
        ("store", "intent on disk", "with its key"),
        ("tool", "request is sent", "Idempotency-Key"),
        ("store", "outcome on disk", "given to the step"),
    )
    for number, (kind, *lines) in enumerate(steps):
        picture.box((20 + 149 * number, top), size, kind, *lines)
        if number:
            picture.arrow((20 + 149 * number - 25, top + 25), (20 + 149 * number - 3, top + 25))
    picture.text((230, top - 12), "approve, edit", "faint", "middle")
    picture.arrow((230, top + 52), (230, 136))
    picture.box((169, 139), (122, 32), "plain", "reject: not sent")
    picture.text((20, 206), "If the process dies …", "bold")
    crashes = (
        (20, 210, "plain", "before the intent is on disk", "it is sent"),
        (
            244,
            274,
            "bad",
            "between intent and outcome",
            "the same key again, if the API honours it; else a person is asked",
        ),
        (532, 208, "plain", "after the outcome", "it is taken from there"),
    )
    for left, width, kind, when, then in crashes:
        words = _wrapped(then, width // 7)
        picture.box((left, 216), (width, 56), kind, when, *words)
    picture.save("effects")


def citations() -> None:
    """Draw how an answer's numbers are held against the passages that were found."""
    picture = Picture(760, 210, "Citations: checked in code")
    picture.text((20, 28), "passages found", "faint")
    picture.box((20, 38), (196, 46), "store", "[1] Returns, lines 8–10", "30 days of delivery")
    picture.box((20, 92), (196, 46), "store", "[2] Returns, lines 20–24", "boots: 60 days")
    picture.text((272, 28), "the model writes", "faint")
    picture.box((272, 38), (204, 100), "model")
    for row, line in enumerate(("Tents: 30 days [1].", "Boots: 60 days [2].", "Skis: 90 days [7].")):
        picture.text((288, 66 + 26 * row), line)
    picture.text((534, 28), "the reader sees", "faint")
    picture.box((534, 38), (206, 100), "plain")
    for row, line in enumerate(("Tents: 30 days [1].", "Boots: 60 days [2].", "Skis: 90 days. ⚑")):
        picture.text((550, 66 + 26 * row), line)
    picture.arrow((220, 88), (268, 88))
    picture.arrow((480, 88), (530, 88))
    picture.text((272, 162), "[1] and [2] open their passages. No passage is [7]: it is taken out.", "faint")
    picture.text((272, 182), "90 stands in no passage, result or question: it is flagged.", "faint")
    picture.save("citations")


def _bar(picture: Picture, y: float, x: float, width: float, kind: str, text: str) -> None:
    picture.box((x, y), (width, 22), kind, text)


def _wrapped(text: str, most: int) -> Sequence[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    for draw in (graph, turn, plan, references, effects, citations):
        draw()
