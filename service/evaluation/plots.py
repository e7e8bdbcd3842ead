"""Plots as SVG: estimates with their intervals, and how values are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from service.evaluation.statistics import Estimate
from service.markup import Markup, element, joined

LABELS, WIDTH, ROW, RIGHT = 190, 560, 22, 60
# Values below this are shown with decimals.
FINE = 20
# Told apart by people who see no red or green too: Okabe and Ito's palette.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def colour(position: int) -> str:
    """Return the colour of a configuration by its place."""
    return COLOURS[position % len(COLOURS)]


def shares(title: str, groups: Mapping[str, Sequence[Estimate | None]]) -> Markup:
    """Draw shares with their intervals, a group of lines for each label and in it one for each configuration.

    Args:
        title: what the shares are of.
        groups: the shares of all configurations, by the label of the group.
    """
    count = max((len(each) for each in groups.values()), default=0)
    step = ROW * max(1, count) * 0.6 + 10
    height = 30 + step * len(groups)
    parts = [_axis(share / 4, f"{25 * share}%", height) for share in range(5)]
    for row, (label, estimates) in enumerate(groups.items()):
        top = 14 + row * step
        parts.append(element("text", label, x=LABELS - 8, y=top + step / 2, text_anchor="end"))
        for position, estimate in enumerate(estimates):
            if estimate:
                parts.append(_whisker(estimate, top + (position + 0.8) * ROW * 0.6, position))
    return _figure(title, height, parts)


def spread(title: str, values: Mapping[str, Sequence[float]], unit: str) -> Markup:
    """Draw how many of the values are at most so large, a line for each configuration.

    Args:
        title: what the values are.
        values: the values of each configuration by its name.
        unit: what they are counted in.
    """
    height, top, bottom = 230, 10.0, 200.0
    largest = max((max(each) for each in values.values() if each), default=0) or 1.0
    digits = 0 if largest >= FINE else 2
    parts = [_axis(share / 4, f"{largest * share / 4:,.{digits}f} {unit}", height) for share in range(5)]
    for share in (0.5, 0.95):
        y = bottom - share * (bottom - top)
        parts.append(element("line", x1=LABELS, x2=LABELS + WIDTH, y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"p{100 * share:.0f}", x=LABELS - 8, y=y + 4, text_anchor="end"))
    for position, each in enumerate(values.values()):
        ordered = [0.0, *sorted(each)]
        points = [
            (LABELS + value / largest * WIDTH, bottom - rank / max(1, len(each)) * (bottom - top))
            for rank, value in enumerate(ordered)
        ]
        steps = [point for (_, before), (x, y) in pairwise(points) for point in ((x, before), (x, y))]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*points[:1], *steps])
        parts.append(element("polyline", points=line, fill="none", stroke=colour(position), stroke_width=2))
    return _figure(title, height, parts)


def _whisker(estimate: Estimate, y: float, position: int) -> Markup:
    low, middle, high = (LABELS + share * WIDTH for share in (estimate.low, estimate.value, estimate.high))
    said = f"{100 * estimate.value:.0f}% of {estimate.of} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"
    return element(
        "g",
        element("title", said),
        element("line", x1=f"{low:.1f}", x2=f"{high:.1f}", y1=y, y2=y, stroke=colour(position), stroke_width=2),
        element("circle", cx=f"{middle:.1f}", cy=y, r=4, fill=colour(position)),
    )


def _axis(share: float, label: str, height: float) -> Markup:
    x = LABELS + share * WIDTH
    return joined(
        element("line", x1=x, x2=x, y1=6, y2=height - 18, class_="grid"),
        element("text", label, x=x, y=height - 4, text_anchor="middle"),
    )


def _figure(title: str, height: float, parts: Sequence[Markup]) -> Markup:
    box = f"0 0 {LABELS + WIDTH + RIGHT} {height:.0f}"
    drawing = element("svg", element("title", title), *parts, viewBox=box, role="img")
    return element("figure", element("figcaption", title), drawing)
