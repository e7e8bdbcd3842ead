"""The report of what model calls used: one HTML file with plots as SVG, which needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from agent.budgets import dollars
from agent.ledger.records import BY, By, Used, Wanted, total
from service import markup
from service.markup import Markup, element, joined

TITLE = "What model calls used and cost"
MOST_ROWS = 25
MOST_DAYS = 92
# Told apart by people who see no red or green too: Okabe and Ito's palette.
COLOURS = ("#0072b2", "#56b4e9", "#e69f00", "#d55e00")
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 200, 70, 24
STYLE = """\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.2rem .8rem;border-bottom:1px solid #8884}
td:not(:first-child),th:not(:first-child){text-align:right}th:first-child{text-align:left}
figure{margin:1.5rem 0}svg{width:100%;font:11px system-ui,sans-serif}svg text{fill:currentColor}
.grid{stroke:#8886}.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}.muted{opacity:.7}
"""


def page(groups: Mapping[By, Sequence[Used]], wanted: Wanted) -> str:
    """Return the report.

    Args:
        groups: what was used, by everything that makes groups.
        wanted: of whom and which days.
    """
    days = _without_gaps(groups["day"])
    parts = [_summary(wanted, total(groups["day"])), _cost(days), _tokens(days)]
    parts += [_table(by, groups[by]) for by in BY if by != "day"]
    return markup.page(TITLE, STYLE, *parts, _table("day", groups["day"]))


def _summary(wanted: Wanted, used: Used) -> Markup:
    since, until = wanted.since or "the first call", wanted.until or "today"
    whose = f" of {wanted.owner}" if wanted.owner else ""
    said = f"{used.calls:,} model calls{whose}, from {since} to {until}: {cost_of(used)}."
    cached, reasoning = share(used.cached, used.input), share(used.reasoning, used.output)
    more = (
        f"{cached} of the prompts' tokens came from the provider's cache; {reasoning} of the replies' were reasoning."
    )
    unknown = (
        f"The price of {used.unknown:,} calls is not known: sums and plots of dollars leave them out."
        if used.unknown
        else ""
    )
    return joined(*(element("p", line) for line in (said, more, unknown) if line))


def _cost(days: Mapping[str, Used]) -> Markup:
    return _bars("US dollars a day", {day: [used.known_cost] for day, used in days.items()}, ["cost"], dollars)


def _tokens(days: Mapping[str, Used]) -> Markup:
    values = {
        day: [used.cached, used.input - used.cached, used.output - used.reasoning, used.reasoning]
        for day, used in days.items()
    }
    return _bars(
        "Tokens a day", values, ["input, cached", "input", "output", "reasoning"], lambda value: f"{value:,.0f}"
    )


def _bars(
    title: str, values: Mapping[str, Sequence[float]], names: Sequence[str], written: Callable[[float], str]
) -> Markup:
    """Draw a bar for each day, in which its values stand on each other."""
    largest = max((sum(each) for each in values.values()), default=0) or 1
    step = (WIDTH - LEFT) / max(1, len(values))
    parts = []
    for quarter in range(5):
        y = HEIGHT - quarter / 4 * (HEIGHT - 10)
        parts.append(element("line", x1=LEFT, x2=WIDTH, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"))
        label = written(largest * quarter / 4)
        parts.append(element("text", label, x=LEFT - 6, y=f"{y + 4:.1f}", text_anchor="end"))
    for place, (day, each) in enumerate(values.items()):
        x, top = LEFT + place * step, float(HEIGHT)
        bars = []
        for position, value in enumerate(each):
            height = value / largest * (HEIGHT - 10)
            top -= height
            box = {"x": f"{x + step * 0.1:.1f}", "y": f"{top:.1f}", "width": f"{step * 0.8:.1f}"}
            bars.append(element("rect", **box, height=f"{height:.1f}", fill=COLOURS[position]))
        told = f"{day}: " + ", ".join(f"{name} {written(value)}" for name, value in zip(names, each, strict=True))
        parts.append(element("g", element("title", told), *bars))
        if place % max(1, len(values) // 8) == 0:
            parts.append(element("text", day[5:], x=f"{x + step / 2:.1f}", y=HEIGHT + 16, text_anchor="middle"))
    keys = [
        joined(element("span", class_="key", style=f"background:{COLOURS[n]}"), name) for n, name in enumerate(names)
    ]
    drawing = element("svg", element("title", title), *parts, viewBox=f"0 0 {WIDTH} {HEIGHT + BOTTOM}", role="img")
    return element("figure", element("figcaption", title, *(keys if len(names) > 1 else ())), drawing)


def _table(by: By, groups: Sequence[Used]) -> Markup:
    dearest = sorted(groups, key=lambda group: (-group.known_cost, -group.input - group.output))
    shown = dearest[:MOST_ROWS] if by != "day" else groups
    head = element(
        "tr", *(element("th", name) for name in (by, "calls", "input", "cached", "output", "reasoning", "cost"))
    )
    rows = [
        element(
            "tr",
            element("td", group.key or "–"),
            element("td", f"{group.calls:,}"),
            element("td", f"{group.input:,}"),
            element("td", share(group.cached, group.input)),
            element("td", f"{group.output:,}"),
            element("td", share(group.reasoning, group.output)),
            element("td", cost_of(group)),
        )
        for group in shown
    ]
    left = len(groups) - len(shown)
    more = element("p", f"and {left:,} more, which cost less", class_="muted") if left else Markup()
    return joined(element("h2", f"By {by}"), element("table", head, *rows), more)


def cost_of(group: Used) -> str:
    """Write what a group cost, with what is not known of it."""
    if not group.unknown:
        return dollars(group.cost or 0.0)
    return "unknown" if not group.known_cost else f"{dollars(group.known_cost)} + {group.unknown:,} unknown"


def share(part: int, whole: int) -> str:
    """Write a share in percent."""
    return f"{100 * part / whole:.0f}%" if whole else "–"


def _without_gaps(days: Sequence[Used]) -> dict[str, Used]:
    """Return the latest days with those between them on which nothing was used."""
    known = {str(group.key): group for group in days}
    if not known:
        return {}
    last = date.fromisoformat(max(known))
    first = max(date.fromisoformat(min(known)), last - timedelta(days=MOST_DAYS - 1))
    every = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    return {day: known.get(day) or total([]) for day in every}
