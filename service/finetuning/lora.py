"""A LoRA adapter of an open model, trained on the file that hosted jobs take.

Low-rank adaptation (Hu et al., 2021: arXiv 2106.09685), by the library peft. The loss counts only what the
assistant says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from service.finetuning.samples import samples
from service.finetuning.validation import read_examples

NOT_LEARNT = -100

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How an adapter is trained.

    Args:
        base: the model: a folder, or its name on the Hugging Face hub.
        out: the folder to write the adapter to.
        epochs: how often each sample is gone through.
        rank: rank of the adapter's matrices.
        learning_rate: step of the optimiser, AdamW.
        batch: samples of one step.
        most_tokens: samples with more are left out.
        seed: of the adapter's first values and the samples' order.
        merged: a folder to write the whole model to, with the adapter in it.
    """

    base: str
    out: Path
    epochs: int = 3
    rank: int = 16
    learning_rate: float = 2e-4
    batch: int = 8
    most_tokens: int = 4096
    seed: int = 0
    merged: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What training came to.

    Args:
        samples: messages of the assistant that were learnt.
        left_out: those that were too long.
        parameters: how many of the adapter were trained.
        before: loss before, in nats a token, on what is held out, or on what was learnt where nothing is.
        after: loss after, on the same.
        held_out: whether something was held out.
    """

    samples: int
    left_out: int
    parameters: int
    before: float
    after: float
    held_out: bool


def train(file: Path, held_out: Path | None, recipe: Recipe, told: Told) -> Trained:
    """Train an adapter and write it. It takes its time.

    Args:
        file: the training file.
        held_out: examples to measure with.
        recipe: how.
        told: told after each step how many of how many are done.

    Raises:
        SettingsError: the libraries are not there, the model or a file cannot be read, or nothing is short enough.
    """
    torch, transformers, peft = _libraries()
    examples = read_examples(file)
    measured = read_examples(held_out) if held_out else examples
    torch.manual_seed(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(recipe.base)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            recipe.base, dtype=torch.bfloat16 if device == "cuda" else torch.float32
        ).to(device)
    except (OSError, ValueError) as error:
        raise SettingsError(f"the model {recipe.base} cannot be loaded: {error}") from None
    if not tokenizer.chat_template:
        raise SettingsError(f"the model {recipe.base} has no chat template: choose one that was trained to chat")
    learnt, left_out = _encoded(examples, tokenizer, recipe.most_tokens)
    kept, _ = _encoded(measured, tokenizer, recipe.most_tokens)
    if not learnt or not kept:
        raise SettingsError(f"no sample has {recipe.most_tokens} tokens or fewer: raise --max-tokens")
    lora = peft.LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(model, lora)
    parameters, _ = model.get_nb_trainable_parameters()
    before = _loss(model, kept, torch)
    _learn(model, learnt, recipe, told, torch)
    after = _loss(model, kept, torch)
    _write(model, tokenizer, recipe)
    return Trained(len(learnt), left_out, parameters, before, after, held_out is not None)


def _libraries() -> tuple[Any, Any, Any]:
    try:
        import peft
        import torch
        import transformers
    except ImportError:
        raise SettingsError("training an adapter needs torch: pip install 'selfhelp[lora]'") from None
    return torch, transformers, peft


def _encoded(examples: Sequence[Any], tokenizer: Any, most: int) -> tuple[list[tuple[list[int], list[int]]], int]:
    """Return tokens and what is to be learnt of each sample, and how many were left out as too long."""

    def template(messages: Any, tools: Any, speaks: bool) -> str:
        return str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=speaks))

    encoded = []
    left_out = 0
    for example in examples:
        for prompt, completion in samples(example, template):
            given, wanted = (tokenizer.encode(text, add_special_tokens=False) for text in (prompt, completion))
            if len(given) + len(wanted) > most:
                left_out += 1
            else:
                encoded.append(([*given, *wanted], [*[NOT_LEARNT] * len(given), *wanted]))
    return encoded, left_out


def _learn(model: Any, learnt: Sequence[tuple[list[int], list[int]]], recipe: Recipe, told: Told, torch: Any) -> None:
    optimiser = torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad], lr=recipe.learning_rate
    )
    order = random.Random(recipe.seed)  # noqa: S311 - an order, not a secret
    model.train()
    for epoch in range(recipe.epochs):
        shuffled = order.sample(learnt, len(learnt))
        for start in range(0, len(shuffled), recipe.batch):
            batch = shuffled[start : start + recipe.batch]
            for tokens, labels in batch:
                (_losses(model, tokens, labels, torch) / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            told(epoch * len(learnt) + start + len(batch), recipe.epochs * len(learnt))


def _loss(model: Any, measured: Sequence[tuple[list[int], list[int]]], torch: Any) -> float:
    """Return the mean loss of what the assistant says, over its tokens."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in measured:
            wanted = sum(label != NOT_LEARNT for label in labels)
            total += float(_losses(model, tokens, labels, torch)) * wanted
            count += wanted
    return total / count


def _losses(model: Any, tokens: list[int], labels: list[int], torch: Any) -> Any:
    given = torch.tensor([tokens], device=model.device)
    return model(input_ids=given, labels=torch.tensor([labels], device=model.device)).loss


def _write(model: Any, tokenizer: Any, recipe: Recipe) -> None:
    try:
        model.save_pretrained(recipe.out)
        tokenizer.save_pretrained(recipe.out)
        if recipe.merged:
            model.merge_and_unload().save_pretrained(recipe.merged)
            tokenizer.save_pretrained(recipe.merged)
    except OSError as error:
        raise SettingsError(f"the adapter cannot be written: {error}") from None
