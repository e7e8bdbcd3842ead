"""A saved export of the Assistants API becomes personas, collections and threads that go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta import Assistant
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep

from agent.checkpoints import open_checkpointer
from agent.context import Context
from agent.knowledge.filters import Filter
from agent.knowledge.library import open_base
from agent.personas import find_personas
from agent.settings import Knowledge
from graphs.assistant import build
from service.assistants.contents import attached_to, contents_of, files_of
from service.assistants.dump import Dump, _collect, read_dump
from service.assistants.importing import import_export
from service.assistants.messages import transcript
from service.assistants.outcome import Imported, Wish
from service.assistants.persona import persona_text, successor
from service.records.database import open_database
from service.threads.history import History
from service.threads.store import ThreadStore
from tests.support.model_server import Reply

EXPORT = Path(__file__).parents[3] / "examples" / "assistants_export"
TENT, JACKET = "thread_7YhReturnTent3", "thread_2WarrantyJacket"
WISH = Wish("local", "user_id", "compatible:scripted")


@pytest.fixture
def settings(settings, tmp_path):
    return settings.model_copy(update={"knowledge": Knowledge(embedder="none"), "personas_dir": tmp_path / "personas"})


@pytest.fixture
def export(tmp_path):
    return Path(shutil.copytree(EXPORT, tmp_path / "export"))


async def read(settings, thread, owner):
    async with open_database(settings) as database, open_checkpointer(settings) as checkpointer:
        found = await ThreadStore(database).get(thread, owner)
        return found, await History(build(settings=settings, checkpointer=checkpointer), database).messages(thread)


async def ask(settings, thread, question):
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, checkpointer=checkpointer)
        config = {"configurable": {"thread_id": thread}}
        context = Context(persona="trail-helper", owner="ann")
        return await graph.ainvoke({"messages": [("user", question)]}, config, context=context)


def gaps(imported):
    return {f"{gap.where}: {gap.what}" for gap in imported.gaps}


def test_the_example_has_the_shapes_of_the_api():
    dump = read_dump(EXPORT)
    for kind, found in (
        (Assistant, dump.assistants),
        (Message, dump.messages),
        (Run, dump.runs),
        (RunStep, dump.steps),
    ):
        assert found
        for each in found.values():
            kind.model_validate(dict(each), strict=True)


async def test_threads_are_read_as_they_were_with_their_steps_and_citations(settings, export):
    imported = await import_export(settings, export, WISH)
    assert imported.malformed == []
    thread, messages = await read(settings, imported.threads[TENT], "ann")
    assert (thread.title, thread.persona, thread.origin) == (
        "Can I still return my tent? It came two weeks ago.",
        "trail-helper",
        "assistants",
    )
    assert (thread.created, thread.updated) == (1754035200.0, 1754035275.0)
    assert thread.details == {"imported_from": TENT, "user_id": "ann"}
    assert [(each.role, each.text) for each in messages] == [
        ("user", "Can I still return my tent? It came two weeks ago."),
        ("assistant", "You have 30 days from delivery to send the tent back [1]."),
        ("user", "And what did order 1042 cost me in total with 4.90 for the return? My invoice is attached."),
        ("assistant", "Order 1042 was 59.70 EUR; with 4.90 EUR for the return it comes to 64.60 EUR."),
    ]
    assert [(step["tool"], step["args"], step["status"]) for step in messages[3].plan] == [
        ("get_order", {"number": 1042}, "finished"),
        ("code_interpreter", {"input": "59.70 + 4.90"}, "finished"),
    ]
    [source] = messages[1].sources
    assert source["document"] == "returns.md"
    assert "within 30 days of delivery" in source["text"]
    base = await open_base(settings)
    around = await base.around(source["id"])
    assert {placed.passage.document for placed in around} == {"returns.md"}, "it can be opened"
    await base.close()
    assert (await read(settings, imported.threads[TENT], "ben"))[0] is None
    _, [question, answer] = await read(settings, imported.threads[JACKET], "ben")
    assert question.text == "How long is the warranty of this jacket?\n\n(image file: file-Photo9)"
    assert answer.text == "Clothing has a warranty of 2 years [1]. I wrote it down for you."


async def test_a_thread_goes_on_with_its_persona_over_its_own_files(settings, export, model_server):
    imported = await import_export(settings, export, WISH)
    persona = find_personas(settings.personas_dir)["trail-helper"]
    assert (persona.collection, persona.temperature, persona.tools) == ("trail-helper", 0.2, ["calculator", "search"])
    assert persona.prompt.startswith("You answer customers of an outdoor shop.")
    model_server.will(
        Reply(calls=[("search", {"query": "label costs invoice mugs, day zero of delivery"})]), "4.90 EUR [2]."
    )
    state = await ask(settings, imported.threads[TENT], "What did the label cost?")
    first = model_server.requests[0]
    assert first["messages"][0]["content"].startswith("You answer customers of an outdoor shop.")
    assert [m["role"] for m in first["messages"][1:]] == [
        *("user", "assistant", "tool", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool", "assistant", "tool", "assistant", "user"),
    ]
    assert {tool["function"]["name"] for tool in first["tools"]} == {"calculator", "search", "reply"}
    found = state["messages"][-2].text
    assert "[1] " in found, "a passage that was cited before keeps its number"
    assert "camping mugs" in found, "what ann sent is hers to find"
    assert state["messages"][-1].text == "4.90 EUR [2]."


async def test_what_was_sent_in_a_thread_is_found_by_its_owner_only(settings, export):
    await import_export(settings, export, WISH)
    base = await open_base(settings)
    hers, his = [
        {
            each.document
            for each in await base.search("invoice return warranty", k=9, where=Filter("trail-helper", owner))
        }
        for owner in ("ann", "ben")
    ]
    await base.close()
    assert hers == {"invoice.txt", "returns.md", "warranty.md"}
    assert his == {"returns.md", "warranty.md"}


async def test_what_has_no_equivalent_is_listed(settings, export):
    assert gaps(await import_export(settings, export, WISH)) == {
        "call_ci1: image that code made",
        "file-Note3: file note.txt",
        "file-Photo9: file jacket.jpg",
        "msg_b1: image_file file-Photo9",
        "msg_b2: link to 【6†note】",
        "trail-helper: code_interpreter",
        "trail-helper: file_search of vector store vs_9pXkdocs4Rt1",
        "trail-helper: function get_order",
        "trail-helper: metadata team",
        "trail-helper: model gpt-4o",
        "trail-helper: top_p 0.9",
    }


async def test_an_import_can_be_run_again_and_leaves_alone_what_changed_since(settings, export, model_server):
    first = await import_export(settings, export, WISH)
    model_server.will("Goodbye.")
    await ask(settings, first.threads[TENT], "Thank you!")
    file = settings.personas_dir / "trail-helper.md"
    file.write_text(file.read_text() + "Say goodbye.\n")
    more = {"id": "msg_c1", "object": "thread.message", "thread_id": "thread_new", "role": "user", "created_at": 1}
    (export / "more.json").write_text(json.dumps(more | {"content": "Hello?"}))
    again = await import_export(settings, export, WISH)
    assert again.threads == first.threads | {"thread_new": again.threads["thread_new"]}
    assert again.unchanged == [f"{file} (changed here: delete it to have it made anew)", JACKET, TENT]
    assert file.read_text().endswith("Say goodbye.\n")
    _, messages = await read(settings, first.threads[TENT], "ann")
    assert [each.text for each in messages[-2:]] == ["Thank you!", "Goodbye."]
    _, [alone] = await read(settings, again.threads["thread_new"], "local")
    assert alone.text == "Hello?"
    third = await import_export(settings, export, WISH)
    assert (third.threads, third.documents) == (again.threads, first.documents)


def test_whatever_ends_a_line_elsewhere_may_stand_in_a_message(tmp_path):
    said = {"object": "thread.message", "id": "m", "thread_id": "t", "role": "user", "content": "one\u2028two\x85three"}
    lines = [json.dumps(each, ensure_ascii=False) for each in ({"object": "thread", "id": "t"}, said)]
    (tmp_path / "export.jsonl").write_text("\r\n".join(lines), encoding="utf-8", newline="")
    dump = read_dump(tmp_path)
    assert (dump.messages["m"]["content"], dump.malformed) == ("one\u2028two\x85three", [])


async def test_malformed_parts_are_named_and_the_rest_is_taken(settings, export):
    (export / "broken.json").write_text('{"object": "assistant", ')
    with (export / "messages.jsonl").open("a") as lines:
        lines.write("{oops\n")
        lines.write('{"object": "thread.message", "id": "msg_x", "role": "user"}\n')
        lines.write(f'{{"object": "thread.message", "id": "msg_y", "thread_id": "{JACKET}", "role": "robot"}}\n')
        lines.write(
            f'{{"object": "thread.message", "id": "msg_z", "thread_id": "{JACKET}", "role": "user", "content": 7}}\n'
        )
        lines.write('{"object": "thread", "id": "thread_empty"}\n')
    imported = await import_export(settings, export, WISH)
    assert {place: reason.partition(":")[0] for place, reason in imported.malformed} == {
        "broken.json": "it is not valid JSON",
        "messages.jsonl:4": "it is not valid JSON",
        "messages.jsonl:5": "one of the messages has no thread_id",
        "msg_y": "its role is 'robot'",
        "msg_z": "it has no content",
        "thread_empty": "the thread has no messages",
    }
    assert imported.threads.keys() == {TENT, JACKET}


async def test_odd_values_are_no_end_of_an_import(settings, tmp_path):
    deep = json.loads("[" * 220 + "]" * 220)
    function = {"name": "pay", "arguments": "[" * 200_000, "output": "done"}
    called = [{"id": "call_1", "type": "function", "function": function}]
    said = {"object": "thread.message", "thread_id": "t", "created_at": 1}
    objects = [
        {"object": "assistant", "id": "odd", "name": "Odd", "instructions": "Be \ud83d nice."},
        {"object": "thread", "id": "t", "created_at": 10**400},
        said | {"id": "m1", "role": "user", "content": "Hi \ud83d!"},
        said | {"id": "m2", "role": "assistant", "content": "Yes.", "run_id": "r", "created_at": 10**15},
        said | {"id": "m3", "role": "user", "content": deep},
        {"object": "thread.run.step", "id": "s", "run_id": "r", "step_details": {"tool_calls": called}},
    ]
    export = tmp_path / "odd.jsonl"
    export.write_text("\n".join(map(json.dumps, objects)))
    imported = await import_export(settings, export, WISH)
    assert imported.malformed == [
        ("odd.jsonl:5", "one of the messages cannot be kept: it is nested too deeply"),
        ("call_1", "its arguments are no JSON object"),
    ]
    assert find_personas(settings.personas_dir)["odd"].prompt == "Be \ufffd nice."
    thread, messages = await read(settings, imported.threads["t"], "local")
    assert (thread.created, thread.updated) == (1.0, 1.0)
    assert sorted(each.text for each in messages) == ["Hi \ufffd!", "Yes."]


async def test_no_name_in_an_export_leads_out_of_its_folders(settings, tmp_path):
    outside = tmp_path / "secret.md"
    outside.write_text("the secret recipe")
    export = tmp_path / "export"
    (export / "files").mkdir(parents=True)
    (export / "files" / "link.md").symlink_to(outside)
    (export / "files" / "file-a").write_text("# Harmless\n\nAn ordinary document.\n")
    objects = [
        {
            "object": "assistant",
            "id": "../../asst",
            "name": "../../../evil",
            "model": "gpt-4o",
            "tools": [],
            "instructions": "x",
        },
        {"object": "file", "id": "file-a", "filename": "../../../escaped.md"},
        {"object": "file", "id": "file-b", "filename": str(outside)},
        {"object": "file", "id": "../../secret", "filename": "../../secret.md"},
        {"object": "file", "id": "../secret.md", "filename": "..\\secret.md"},
    ]
    (export / "dump.json").write_text(json.dumps(objects))
    before = set(tmp_path.rglob("*"))
    imported = await import_export(settings, export, WISH)
    assert imported.personas == {"../../asst": str(settings.personas_dir / "evil.md")}
    assert imported.documents == {"evil": 1}
    made = set(tmp_path.rglob("*")) - before
    inside = (settings.data_dir, settings.personas_dir)
    assert all(any(path.is_relative_to(folder) for folder in inside) for path in made)
    assert [path.name for path in made if "escaped" in path.name] == ["escaped.md"]
    assert not any("secret recipe" in path.read_text(errors="replace") for path in made if path.is_file())
    assert ("files/link.md", "it is a link, which is not followed") in imported.malformed


async def test_an_assistant_never_takes_the_place_of_a_persona(settings, tmp_path):
    settings.personas_dir.mkdir()
    (settings.personas_dir / "mine.md").write_text("I am mine.")
    for number, name in enumerate(["helpdesk", "Mine!", "mine", "default"]):
        assistant = {"object": "assistant", "id": f"asst_{number}", "name": name, "model": "o3", "instructions": "Hi."}
        (tmp_path / f"{number}.json").write_text(json.dumps(assistant))
    (tmp_path / "export").mkdir()
    for file in tmp_path.glob("*.json"):
        file.rename(tmp_path / "export" / file.name)
    imported = await import_export(settings, tmp_path / "export", Wish("local"))
    names = [Path(file).stem for _, file in sorted(imported.personas.items())]
    assert names == ["helpdesk-asst-0", "mine-asst-1", "mine-asst-2", "default-asst-3"]
    assert (settings.personas_dir / "mine.md").read_text() == "I am mine."
    personas = find_personas(settings.personas_dir)
    assert personas["mine-asst-1"].model == "openai:gpt-6.1-sol"
    assert personas["mine-asst-1"].tools == [], "it had none"


async def test_a_question_comes_before_its_answer_of_the_same_second():
    dump = Dump()
    for message_id, role in (("msg_a", "assistant"), ("msg_b", "user")):
        said = {"object": "thread.message", "id": message_id, "thread_id": "t", "role": role, "content": role}
        _collect(said | {"created_at": 7}, {}, "x", dump, 0)
    assert [message.text for message in (await transcript("t", dump, None)).messages] == ["user", "assistant"]


def test_files_of_several_assistants_are_told_apart_by_their_vector_stores():
    dump = Dump(stored={"f1": {"vector_store_id": "v1"}, "f2": {"vector_store_id": "v2"}})
    of = lambda *stores: {"tool_resources": {"file_search": {"vector_store_ids": list(stores)}}}  # noqa: E731
    assert files_of(of("v1"), dump) == {"f1"}
    assert files_of(of("v3"), dump) is None
    assert files_of({"file_ids": ["f9"]}, dump) == {"f9"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gpt-3.5-turbo-1106", "gpt-6-luna"),
        ("gpt-4o-mini", "gpt-6-luna"),
        ("gpt-4-turbo", "gpt-6.1-terra"),
        ("ft:gpt-4o-2024-08-06:acme::x", "gpt-6.1-terra"),
        ("o4-mini", "gpt-6.1-sol"),
        ("gpt-6.1-terra", "gpt-6.1-terra"),
        ("", "gpt-6-luna"),
    ],
)
def test_a_model_that_ended_has_a_successor(old, new):
    assert successor(old) == new


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["name", "tools", "tool_resources", "metadata", "instructions", "model", "temperature", "top_p", "file_ids"]
PARTS = ["content", "attachments", "created_at", "run_id", "step_details", "file_ids", "filename"]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.dictionaries(st.sampled_from(PARTS), VALUES), VALUES)
async def test_whatever_an_export_holds_never_breaks_the_import(assistant, message, value):
    dump = Dump()
    said = {"object": "thread.message", "id": "m", "thread_id": "t", "role": "assistant", "run_id": "r"}
    step = {"object": "thread.run.step", "id": "s", "run_id": "r", "step_details": {"tool_calls": [value]}}
    _collect([{"object": "assistant", "id": "a", **assistant}, {**said, **message}, step, value], {}, "x", dump, 0)
    contents_of(dump)
    for each in dump.messages.values():
        attached_to(each)
    for each in dump.assistants.values():
        files_of(each, dump)
        assert persona_text(each, "a", None, ["search"], collection=True)[0].startswith("---\n# imported from a\n")

    async def nothing(*_):
        return None

    assert (await transcript("t", dump, nothing)).messages is not None


def test_the_command_prints_what_became_of_an_export(run, export, environment):
    done = run("assistants", "import", "export", "--owner-from", "user_id", "--json")
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout)
    assert imported.keys() == set(Imported.__dataclass_fields__)
    assert imported["threads"].keys() == {TENT, JACKET}
    assert {"where", "what", "instead"} == imported["gaps"][0].keys()
    assert run("assistants", "import", "nowhere").returncode == 2
