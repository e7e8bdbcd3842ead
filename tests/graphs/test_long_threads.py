"""The history of a thread is found without reading its checkpoints, and is the one that LangGraph finds."""

from typing import Annotated

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from agent.checkpoints import open_checkpointer
from agent.settings import Settings

THREAD = {"configurable": {"thread_id": "1"}}


class Talk(TypedDict):
    # A snapshot at every fifth update.
    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=5)]
    others: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=7)]


def graph(saver):
    builder = StateGraph(Talk)
    builder.add_node("one", lambda _: {"messages": [AIMessage("one")], "others": [AIMessage("aside")]})
    builder.add_node("two", lambda _: {"messages": [AIMessage("two")]})
    for node in ("one", "two"):
        builder.add_edge(START, node)
        builder.add_edge(node, END)
    return builder.compile(checkpointer=saver)


@pytest.fixture
async def saver(tmp_path):
    async with open_checkpointer(Settings(data_dir=tmp_path)) as saver:
        yield saver


async def say(talk, text, config=THREAD):
    await talk.ainvoke({"messages": [HumanMessage(text)]}, config)


async def test_every_checkpoint_has_the_history_that_langgraph_finds(saver):
    talk = graph(saver)
    for number in range(6):
        await say(talk, str(number))
    states = [state async for state in talk.aget_state_history(THREAD)]
    middle = states[len(states) // 2].config
    await say(talk, "said in a fork", middle)
    await talk.aupdate_state(THREAD, {"messages": [HumanMessage("put in")]}, as_node="one")
    await talk.aupdate_state(THREAD, {"messages": Overwrite([HumanMessage("all there is")])}, as_node="two")
    await say(talk, "and on")
    await talk.aupdate_state(middle, None, as_node="__copy__")
    await say(talk, "said after a copy")

    places = [found.config async for found in saver.alist(THREAD)]
    seeds, channels = 0, ["messages", "others"]
    for place in [*places, THREAD]:
        ours = await saver.aget_delta_channel_history(config=place, channels=channels)
        langgraphs = await AsyncSqliteSaver.aget_delta_channel_history(saver, config=place, channels=channels)
        assert ours == langgraphs
        seeds += "seed" in ours["messages"]

    assert len(places) > 25
    assert 5 < seeds < len(places), "some histories begin with a snapshot, and some do not"


async def test_a_checkpoint_that_is_its_own_ancestor_ends_the_history(saver):
    talk = graph(saver)
    for number in range(2):
        await say(talk, str(number))
    found = [found async for found in saver.alist(THREAD)]
    last, first = found[0], found[-1]
    await saver.aput(last.config, first.checkpoint, first.metadata, {})

    ours = await saver.aget_delta_channel_history(config=last.config, channels=["messages"])

    assert ours == await AsyncSqliteSaver.aget_delta_channel_history(saver, config=last.config, channels=["messages"])
