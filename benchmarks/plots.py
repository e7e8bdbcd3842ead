"""The figures of turns as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.turns import Figures

OURS, THEIRS, LIMIT = (
    ("#0f766e", "#5eead4"),
    ("#475569", "#94a3b8", "#cbd5e1", "#a8a29e", "#d6d3d1", "#e7e5e4"),
    "#dc2626",
)
BAR = 0.8
# A file that is drawn anew from the same figures is the same file.
STABLE = {"svg.hashsalt": "selfhelp", "svg.fonttype": "none", "font.family": "sans-serif"}


def draw(results: Sequence[Figures], folder: Path) -> None:
    """Draw time and cost of turns.

    Args:
        results: the figures.
        folder: where the SVG files go: turns.svg and cost.svg.
    """
    _bars(
        results,
        folder / "turns.svg",
        "Seconds until the answer is complete (less is better)",
        lambda each: each.wall,
        lambda each: each.limit.whole,
    )
    _bars(
        results,
        folder / "cost.svg",
        "Prompt + 4 × completion tokens of a turn (less is better)",
        lambda each: each.cost,
    )


def _bars(
    results: Sequence[Figures],
    file: Path,
    title: str,
    figure: Callable[[Figures], float],
    limit: Callable[[Figures], float] | None = None,
) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shapes = list(dict.fromkeys(each.shape for each in results))
    names = list(dict.fromkeys(each.contender for each in results))
    colours = dict(zip(names, _colours(names), strict=True))
    with mpl.rc_context(STABLE):
        picture = Figure(figsize=(11, 4.2), layout="constrained")
        axes = picture.subplots()
        for place, name in enumerate(names):
            of_name = {each.shape: each for each in results if each.contender == name}
            width = BAR / len(names)
            at = [number + (place - (len(names) - 1) / 2) * width for number, s in enumerate(shapes) if s in of_name]
            axes.bar(at, [figure(each) for each in of_name.values()], width, label=name, color=colours[name])
        if limit:
            least = [limit(next(each for each in results if each.shape == shape)) for shape in shapes]
            numbers = range(len(shapes))
            left, right = [number - BAR / 2 for number in numbers], [number + BAR / 2 for number in numbers]
            axes.hlines(least, left, right, colors=LIMIT, linewidth=1.2, label="limit of a plan and its answer")
        highest = max(figure(each) for each in results if each.contender != names[-1])
        axes.set_ylim(0, 1.1 * highest)
        axes.set_xticks(range(len(shapes)), shapes)
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, ncols=4, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.1))
        picture.savefig(file, metadata={"Date": None})


def _colours(names: Sequence[str]) -> list[str]:
    ours, theirs = iter(OURS), iter(THEIRS)
    return [next(ours) if name.startswith("selfhelp") else next(theirs) for name in names]
