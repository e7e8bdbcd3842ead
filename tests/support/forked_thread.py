"""A thread with snapshots, forks and copies, and whether a checkpointer finds the histories that LangGraph's own finds."""

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from langgraph.types import Overwrite
from typing_extensions import TypedDict

THREAD: Any = {"configurable": {"thread_id": "forked"}}


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=9)]
    asides: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=7)]


def graph(saver: BaseCheckpointSaver[Any]) -> Any:
    builder = StateGraph(Talk)
    builder.add_node("one", lambda _: {"messages": [AIMessage("one")], "asides": [AIMessage("aside")]})
    builder.add_node("two", lambda _: {"messages": [AIMessage("two")]})
    for node in ("one", "two"):
        builder.add_edge(START, node)
        builder.add_edge(node, END)
    return builder.compile(checkpointer=saver)


async def talked(saver: BaseCheckpointSaver[Any]) -> None:
    """Talk in the thread, fork it in the middle, copy a checkpoint, and overwrite its messages."""
    talk = graph(saver)

    async def say(text: str, place: Any = THREAD) -> None:
        await talk.ainvoke({"messages": [HumanMessage(text)]}, place)

    for number in range(8):
        await say(str(number))
    states = [state async for state in talk.aget_state_history(THREAD)]
    middle, early = states[len(states) // 2].config, states[-4].config
    await say("said in a fork", middle)
    await talk.aupdate_state(THREAD, {"messages": [HumanMessage("put in")]}, as_node="one")
    await talk.aupdate_state(THREAD, {"messages": Overwrite([HumanMessage("all there is")])}, as_node="two")
    await say("and on")
    await talk.aupdate_state(early, None, as_node="__copy__")
    await say("said after a copy")


async def histories(saver: BaseCheckpointSaver[Any]) -> list[tuple[Any, Any]]:
    """Return the thread's histories at every checkpoint: those that are found, and those that LangGraph's own finds."""
    langgraphs = super(type(saver), saver)
    places = [found.config async for found in saver.alist(THREAD)]
    return [
        (
            await saver.aget_delta_channel_history(config=place, channels=["messages", "asides"]),
            await langgraphs.aget_delta_channel_history(config=place, channels=["messages", "asides"]),
        )
        for place in [*places, THREAD]
    ]
