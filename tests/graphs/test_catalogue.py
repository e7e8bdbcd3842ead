"""APIs of hundreds of operations: a turn is shown the few tools that it needs, and the same ones throughout."""

from __future__ import annotations

import json

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.apis import ApiSettings
from agent.catalogue import FINDER
from agent.context import Context
from agent.tool_search import ToolSearch
from agent.toolset import BoundTool
from graphs.assistant import build
from tests.support.model_server import Reply, prompt_tokens
from tools.calculator import calculator
from tools.effects import reads

THINGS = """account address aircraft album answer apartment archive article asset auction badge banner battery bicycle
boarding bottle branch budget building calendar camera campaign candidate carpet ceiling chapter charter chimney classroom
clinic coffee concert contract corridor courier cupboard dentist desk diploma dossier drawer elevator engine envelope escort
festival fixture forest freezer gallery garage garden glacier guitar hammer harbour island ladder lantern meadow""".split()  # noqa: SIM905
THREAD = {"configurable": {"thread_id": "1"}}


def paths_of(things):
    """Return five operations for each thing, to list, make, read, change and delete it."""

    def operation(verb, thing, **more):
        return {
            "operationId": f"{verb}_{thing}",
            "summary": f"{verb.title()} {'the' if verb != 'list' else 'all'} {thing}",
            "responses": {"200": {"description": "Done"}},
            **more,
        }

    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    for thing in things:
        yield f"/{thing}s", {"get": operation("list", thing), "post": operation("create", thing)}
        verbs = {"get": "read", "patch": "change", "delete": "delete"}
        yield (
            f"/{thing}s/{{id}}",
            {"parameters": [name], **{method: operation(verb, thing) for method, verb in verbs.items()}},
        )


@pytest.fixture
def deployment(settings, tmp_path):
    def deployed(things=THINGS, **api):
        spec = tmp_path / "openapi.json"
        document = {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "paths": dict(paths_of(things))}
        spec.write_text(json.dumps(document))
        given = {"name": "things", "spec": str(spec), "base_url": "http://127.0.0.1:9", **api}
        return settings.model_copy(update={"apis": [ApiSettings.model_validate(given)]})

    return deployed


def shown(body):
    """Return the names of the API's tools in a request."""
    names = [each["function"]["name"] for each in body["tools"]]
    return [name for name in names if name.partition("_")[2] in THINGS]


async def ask(graph, question, **context):
    return await graph.ainvoke({"messages": [("user", question)]}, THREAD, context=Context(**context))


async def test_of_three_hundred_operations_a_question_is_shown_the_few_that_fit(deployment, model_server):
    @reads
    @tool
    def weather(place: str) -> str:
        """What the weather is like."""
        return "fine"

    model_server.will("Tell me which.")
    assert len(THINGS) * 5 == 300
    await ask(build(settings=deployment(), tools=[weather]), "Delete the guitar, and tell me which clinics there are.")
    [body] = model_server.requests
    assert len(shown(body)) == 12
    assert {"delete_guitar", "list_guitar", "list_clinic"} <= set(shown(body))
    everywhere = {each["function"]["name"] for each in body["tools"]} - set(shown(body))
    assert everywhere == {"calculator", "clock", "weather", "reply", FINDER}


async def test_what_fits_stands_in_the_order_of_the_document(deployment, model_server):
    model_server.will("Which one?")
    await ask(build(settings=deployment()), "Delete the guitar, and change the album.")
    [body] = model_server.requests
    assert shown(body) == sorted(shown(body), key=lambda name: THINGS.index(name.partition("_")[2]))


async def test_how_many_are_shown_can_be_set(deployment, model_server):
    model_server.will("Which one?")
    await ask(build(settings=deployment()), "Delete the guitar.", shown_tools=3)
    assert len(shown(model_server.requests[0])) == 3


async def test_a_small_api_is_shown_whole(deployment, model_server):
    model_server.will("Which one?")
    await ask(build(settings=deployment(["guitar", "clinic"])), "What is the time?")
    [body] = model_server.requests
    assert len(shown(body)) == 10
    assert FINDER not in str(body["tools"])


async def test_the_prompt_is_no_longer_where_the_api_is_larger(deployment, model_server):
    model_server.will("Which one?", "Which one?")
    for things in (THINGS[-12:], THINGS):
        await ask(build(settings=deployment(things)), "Delete the guitar.")
    small, large = map(prompt_tokens, model_server.requests)
    assert large < small * 1.05


async def test_what_is_to_be_shown_always_is(deployment, model_server):
    model_server.will("Which one?")
    settings = deployment(always=["read_harbour", "list_forest"])
    await ask(build(settings=settings), "Delete the guitar.")
    names = shown(model_server.requests[0])
    assert len(names) == 12
    assert {"read_harbour", "list_forest", "delete_guitar"} <= set(names)


async def test_planner_and_responder_are_shown_the_same_and_share_the_prompts_beginning(deployment, model_server):
    model_server.will(Reply(calls=[("list_guitar", {})]), "There are none.")
    await ask(build(settings=deployment()), "Which guitars are there?")
    planner, responder = model_server.requests
    assert responder["tools"] == planner["tools"]
    assert responder["messages"][: len(planner["messages"])] == planner["messages"]


async def test_what_was_called_stays_while_the_thread_goes_on_to_something_else(deployment, model_server):
    model_server.will(Reply(calls=[("list_guitar", {})]), "There are none.", "Which one?")
    graph = build(settings=deployment(), checkpointer=InMemorySaver())
    await ask(graph, "Which guitars are there?")
    await ask(graph, "Change the address of the clinic near the harbour to the garden")
    names = shown(model_server.requests[-1])
    assert "list_guitar" in names
    assert "change_clinic" in names
    assert len(names) == 12


async def test_a_question_that_needs_the_one_before_is_shown_its_tools(deployment, model_server):
    model_server.will("Number 7.", "Gone.")
    graph = build(settings=deployment(), checkpointer=InMemorySaver())
    await ask(graph, "Which guitar is the newest one?")
    await ask(graph, "And delete it")
    assert "delete_guitar" in shown(model_server.requests[-1])


async def test_a_write_comes_with_what_undoes_it(deployment, model_server):
    model_server.will("Which one?")
    settings = deployment(undo={"create_guitar": "delete_harbour"})
    await ask(build(settings=settings), "Create a guitar.", shown_tools=4)
    assert {"create_guitar", "delete_harbour"} <= set(shown(model_server.requests[0]))


async def test_a_write_that_is_approved_later_finds_its_tool(deployment, model_server):
    plan = Reply(calls=[("delete_guitar", {"id": "7"})])
    model_server.will(plan, "The server is not there.")
    settings = deployment().model_copy(update={"approvals": {}})
    saver = InMemorySaver()
    state = await ask(build(settings=settings, checkpointer=saver), "Delete guitar 7.")
    [action] = state["__interrupt__"][0].value["action_requests"]
    assert action["name"] == "delete_guitar"
    later = build(settings=settings, checkpointer=saver)
    state = await later.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD, context=Context())
    [step] = state["plan"]
    assert (step["tool"], step["resolved"]) == ("delete_guitar", {"id": "7"})
    planner, responder = model_server.requests
    assert responder["tools"] == planner["tools"]


async def test_the_model_finds_a_tool_that_it_is_not_shown_and_can_call_it_in_the_same_turn(deployment, model_server):
    finds = Reply(calls=[(FINDER, {"purpose": "List all glaciers"})])
    model_server.will(finds, Reply(calls=[("list_glacier", {})]), "There are none.")
    state = await ask(build(settings=deployment()), "Delete the guitar.", shown_tools=4)
    assert "list_glacier: List all glacier" in str(state["messages"])
    first, second, third = model_server.requests
    assert "list_glacier" not in shown(first)
    assert second["tools"][: len(first["tools"])] == first["tools"]
    assert "list_glacier" in shown(second)
    assert third["tools"] == second["tools"]
    assert [step["tool"] for step in state["plan"]] == [FINDER, "list_glacier"]


async def test_a_long_pasted_text_is_answered_too(deployment, model_server):
    model_server.will("What of it?")
    await ask(build(settings=deployment()), "Delete the guitar. " + 'Then, "look" (at* this) OR NOT.\n' * 3000)
    assert "delete_guitar" in shown(model_server.requests[0])


def test_half_a_character_in_a_description_or_a_question_does_no_harm():
    @tool("delete_guitar", description="Delete \ud800 the guitar")
    def delete_guitar(number: int) -> None:
        pass

    search = ToolSearch([BoundTool(calculator), BoundTool(delete_guitar)])
    assert search.ranked("Delete the guitar \ud800 now")[0] == "delete_guitar"


def test_synchronous_callers_are_shown_the_same(deployment, model_server):
    model_server.will("Which one?")
    build(settings=deployment()).invoke({"messages": [("user", "Delete the guitar.")]}, THREAD)
    names = shown(model_server.requests[0])
    assert "delete_guitar" in names
    assert len(names) == 12
