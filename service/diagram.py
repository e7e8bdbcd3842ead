"""A graph as a picture, drawn here: LangGraph's own pictures come from a service on the network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from langchain_core.runnables.graph import Graph
from langgraph.graph.state import CompiledStateGraph

# Pixels.
STEP, WIDTH, HEIGHT, MIDDLE, RISE = 150, 96, 34, 90, 26


@dataclass(frozen=True)
class Diagram:
    """A graph that shows itself in a notebook: its nodes from left to right, edges that skip above, edges back below.

    Args:
        graph: the graph.
    """

    graph: CompiledStateGraph[Any, Any, Any, Any]

    def _repr_svg_(self) -> str:
        drawn = self.graph.get_graph()
        place = {name: at for at, name in enumerate(sorted(drawn.nodes, key=_depths(drawn).__getitem__))}
        edges = "".join(_edge(place[edge.source], place[edge.target]) for edge in drawn.edges)
        nodes = "".join(_node(name, at) for name, at in place.items())
        size = f'width="{STEP * len(place)}" height="{2 * MIDDLE}"'
        head = '<marker id="head" orient="auto" refX="6" refY="3" markerWidth="7" markerHeight="7">'
        defs = f'<defs>{head}<path d="M0,0 L7,3 L0,6 z" fill="currentColor"/></marker></defs>'
        style = 'font-family="sans-serif" font-size="13" fill="none" stroke="currentColor"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{defs}{edges}{nodes}</svg>'


def _depths(graph: Graph) -> dict[str, int]:
    """Return how many edges lie between the beginning and each node, the end being behind all others."""
    first = graph.first_node()
    depths = {first.id: 0} if first else {}
    waiting = list(depths)
    while waiting:
        source = waiting.pop(0)
        for edge in graph.edges:
            if edge.source == source and edge.target not in depths:
                depths[edge.target] = depths[source] + 1
                waiting.append(edge.target)
    last = graph.last_node()
    behind = {last.id: len(graph.nodes)} if last else {}
    return dict.fromkeys(graph.nodes, len(graph.nodes)) | depths | behind


def _node(name: str, at: int) -> str:
    left, top = STEP * at + (STEP - WIDTH) / 2, MIDDLE - HEIGHT / 2
    box = f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#0f766e22"/>'
    label = escape(name.strip("_"))
    text = f'<text x="{STEP * (at + 0.5)}" y="{MIDDLE + 5}" text-anchor="middle" fill="currentColor" stroke="none">'
    return f"{box}{text}{label}</text>"


def _edge(source: int, target: int) -> str:
    if target == source + 1:
        left, right = STEP * (source + 0.5) + WIDTH / 2, STEP * (target + 0.5) - WIDTH / 2
        return _path(f"M{left},{MIDDLE} L{right},{MIDDLE}")
    if target == source:
        middle, top = STEP * (source + 0.5), MIDDLE - HEIGHT / 2
        return _path(f"M{middle - 12},{top} C{middle - 20},{top - RISE} {middle + 20},{top - RISE} {middle + 12},{top}")
    way = -1 if target > source else 1
    start, end = STEP * (source + 0.5) - 20 * way, STEP * (target + 0.5) + 20 * way
    level = MIDDLE + way * HEIGHT / 2
    bend = level + way * RISE * min(abs(target - source), 2)
    return _path(f"M{start},{level} C{start},{bend} {end},{bend} {end},{level}")


def _path(drawn: str) -> str:
    return f'<path d="{drawn}" marker-end="url(#head)"/>'
