"""A LoRA adapter is trained on a tiny model that the test makes, and comes back. It needs torch: see .ci/run."""

from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner

from service.commands.finetuning import app
from service.finetuning.lora import _encoded, _loss
from service.finetuning.validation import read_examples
from tests.service.finetuning.test_validation import WORDS, example, written

# What peft calls, transformers is about to rename.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

# The model is so small that threads only get into each other's way.
torch.set_num_threads(1)

# In the manner of Qwen's: arguments of calls are objects, and tools stand in front.
TEMPLATE = """\
{%- for tool in tools or [] %}<tool> {{ tool | tojson }} {% endfor %}
{%- for message in messages %}<{{ message.role }}> {{ message.content }}
{%- for call in message.tool_calls or [] %} <call> {{ call.function.name }} {{ call.function.arguments | tojson }}{% endfor %} <end> {% endfor %}
{%- if add_generation_prompt %}<assistant> {% endif %}"""


@pytest.fixture
def training(tmp_path):
    written(tmp_path / "held-out.jsonl", [example("kettle"), example("oven")])
    return written(tmp_path / "train.jsonl", [example(word) for word in WORDS])


@pytest.fixture
def base(training, tmp_path):
    folder = tmp_path / "base"
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<unk>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(training.read_text().splitlines(), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    size = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.2,
    }
    LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), max_position_embeddings=2048, **size)).save_pretrained(folder)
    return folder


def train(*options):
    return CliRunner().invoke(app, ["train", "train.jsonl", "adapter", "--base", "base", *options])


def loss(model, file):
    tokenizer = AutoTokenizer.from_pretrained("base")
    return _loss(model, _encoded(read_examples(file), tokenizer, 4096)[0], torch)


def test_an_adapter_is_trained_saved_and_loaded_and_says_what_is_held_out_better(base, training, tmp_path):
    before = (base / "model.safetensors").read_bytes()
    done = train("--epochs", "8", "--rank", "8", "--learning-rate", "0.02", "--merged", "merged", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["samples"], told["left_out"], told["held_out"]) == (24, 0, True)
    assert told["parameters"] > 0
    assert told["after"] < 0.8 * told["before"], told
    assert (base / "model.safetensors").read_bytes() == before, "the model itself stays as it is"

    held_out = tmp_path / "held-out.jsonl"
    plain = AutoModelForCausalLM.from_pretrained("base")
    assert loss(plain, held_out) == pytest.approx(told["before"], abs=1e-3)
    adapted = PeftModel.from_pretrained(plain, "adapter")
    assert loss(adapted, held_out) == pytest.approx(told["after"], abs=1e-3)
    assert loss(AutoModelForCausalLM.from_pretrained("merged"), held_out) == pytest.approx(told["after"], abs=1e-3)


def test_what_is_too_long_is_left_out_and_said(base, training):
    done = train("--max-tokens", "16")
    assert "raise --max-tokens" in str(done.exception)


def test_a_model_that_is_not_there_is_named(training):
    done = train()
    assert "the model base cannot be loaded" in str(done.exception)
