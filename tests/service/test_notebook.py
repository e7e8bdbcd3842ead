"""Answers and threads show themselves in a notebook, and nothing that stands in them runs there."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from agent.settings import Settings
from agent.state import no_usage
from graphs import assistant, indexer, react
from graphs.assistant import build
from service.conversation import Answer
from service.diagram import Diagram
from service.notebook import Chat, Shown, Waiting
from tests.support.model_server import Reply
from tools.effects import reads

HOSTILE = "<script>alert(1)</script> [click](javascript:alert(1)) ![](https://evil.example/x.png)"


@reads
@tool
def stock(sku: str) -> dict:
    """Pieces of a product."""
    return {"sku": sku, "pieces": 14}


@tool
def refund(order: int) -> str:
    """Pay an order back."""
    return f"order {order} is paid back"


@pytest.fixture
def chat(model_server, tmp_path):
    settings = Settings(model="compatible:scripted", base_url=model_server.url, data_dir=tmp_path)
    return Chat(build(tools=[stock, refund], checkpointer=InMemorySaver(), settings=settings))


def test_an_answer_shows_text_plan_and_usage(chat, model_server):
    model_server.will(Reply(calls=[("stock", {"sku": "TENT-2"})]), "There are **14** pieces.")
    shown = chat.ask("How many?")
    assert isinstance(shown, Shown)
    html = shown._repr_html_()
    assert "<strong>14</strong>" in html
    assert "1 stock</text>" in html
    assert "<rect" in html
    assert "2 model calls" in html
    assert [step["tool"] for step in shown.plan] == ["stock"]


async def test_it_is_asked_from_within_a_running_event_loop(chat, model_server):
    model_server.will("Hello.")
    assert str(chat.ask("Hi")) == "Hello."


def test_a_write_waits_and_is_decided(chat, model_server):
    model_server.will(Reply(calls=[("refund", {"order": 7})]), "It is paid back.")
    waiting = chat.ask("Pay order 7 back.")
    assert isinstance(waiting, Waiting)
    assert "refund" in waiting._repr_html_()
    assert str(chat.decide(waiting, [{"type": "approve"}])) == "It is paid back."


def test_markup_in_an_answer_is_shown_and_not_run():
    source = {"number": 1, "title": HOSTILE, "heading": HOSTILE, "text": HOSTILE, "uri": HOSTILE}
    step = {"number": 1, "tool": HOSTILE, "status": "skipped", "started": None, "ended": None}
    ran = {**step, "status": "finished", "started": 1.0, "ended": 2.0}
    flag = {"kind": "name", "text": HOSTILE, "detail": HOSTILE}
    html = Shown(Answer(HOSTILE, [source], [step, ran], no_usage(), [flag], None))._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("&lt;script&gt;") == 9


def test_a_thread_shows_what_was_said_and_is_carried_on_by_its_id(chat, model_server):
    model_server.will("Hello Ann.", "You are Ann.")
    chat.ask("I am Ann.")
    again = Chat(chat._conversation.graph, thread=chat.thread)
    assert str(again.ask("Who am I?")) == "You are Ann."
    assert [word in again._repr_html_() for word in ("I am Ann.", "You are Ann.")] == [True, True]


@pytest.mark.parametrize("graph", [assistant.graph, react.graph, indexer.graph])
def test_a_graph_draws_itself_with_all_its_nodes_and_edges(graph):
    svg = Diagram(graph)._repr_svg_()
    drawn = graph.get_graph()
    fromstring(svg)
    assert all(f">{name.strip('_')}</text>" in svg for name in drawn.nodes)
    assert svg.count("marker-end") == len(drawn.edges)
