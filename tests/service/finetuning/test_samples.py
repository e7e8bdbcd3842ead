"""What an open model learns of an example: what the assistant says, and nothing else."""

from __future__ import annotations

import pytest

from agent.errors import SettingsError
from service.finetuning.lora import Recipe, train
from service.finetuning.samples import TemplateUnusable, samples
from tests.service.finetuning.test_validation import WORDS, example, written


def template(messages, tools, speaks):
    said = "".join(
        f"<{m['role']}>{m['content']}{[c['function'] for c in m.get('tool_calls', ())] or ''}" for m in messages
    )
    return f"{len(tools or ())} tools {said}{'<assistant>' if speaks else ''}"


def test_each_message_of_the_assistant_is_learnt_behind_its_prompt():
    [(first, call), (second, answer)] = samples(example(), template)
    assert first == "1 tools <system>Be brief.<user>What does the tent cost, and how heavy is a tent?<assistant>"
    assert call == "[{'name': 'price', 'arguments': {'sku': 'T'}}]", "arguments are objects in templates"
    assert second == f"{first}{call}<tool>19.90<assistant>"
    assert answer == "The tent costs 19.90 EUR and is light; every tent is."


def test_what_has_no_weight_is_read_and_not_learnt():
    weighed = example()
    weighed["messages"][2]["weight"] = 0
    [(prompt, answer)] = samples(weighed, template)
    assert "price" in prompt
    assert answer.startswith("The tent")


def test_a_template_that_does_not_go_on_from_its_prompt_is_refused():
    with pytest.raises(TemplateUnusable):
        list(samples(example(), lambda messages, tools, speaks: "a" if speaks else "b"))


def test_without_torch_training_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    file = written(tmp_path / "train.jsonl", [example(word) for word in WORDS])
    with pytest.raises(SettingsError, match=r"selfhelp\[lora\]"):
        train(file, None, Recipe("base", tmp_path / "out"), lambda *_: None)
