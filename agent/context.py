"""The settings of one run: LangGraph's context. An assistant in Studio is a saved one of these."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.budgets import Budgets, KeyBudget

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Context(BaseModel):
    """How one run behaves. What is given here goes before the persona's wishes, and those before the settings."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        None,
        title="Model",
        description="openai:NAME, ollama:NAME, compatible:NAME, local or local:/path/to.gguf; when empty, what suits.",
        examples=["openai:gpt-6-luna", "local"],
    )
    fallbacks: list[str] = Field(
        default_factory=list,
        title="Fallback models",
        description="Models to try in this order when the one before cannot be reached.",
    )
    cascade: str | None = Field(
        None,
        title="Small model first",
        description="A cheaper model that is asked first. Where its plan fails the check, or its answer refuses or "
        "cites too little of what was found, the model is asked instead. Its answers come whole, once judged.",
        examples=["openai:gpt-6-luna"],
    )
    protocol: Literal["auto", "native", "json"] = Field(
        "auto",
        title="Planner protocol",
        description="How the model plans: function calling (native), constrained JSON (json), or what suits it (auto).",
    )
    temperature: float | None = Field(
        None, ge=0, le=2, title="Temperature", description="Sampling temperature, where the model takes one."
    )
    effort: Effort | None = Field(
        None,
        title="Reasoning effort",
        description="How long ChatGPT's reasoning models think before each reply; when empty, their own default.",
    )
    planning_effort: Effort | None = Field(
        None,
        title="Reasoning effort of planning",
        description="The same for the first reply of a turn. Where it differs, providers keep the two prompts apart.",
    )
    max_tokens: int | None = Field(
        None,
        ge=16,
        title="Answer limit",
        description="The most tokens of one reply; when empty, ChatGPT's own limit, and 1,024 elsewhere.",
    )
    persona: str = Field(
        "helpdesk",
        title="Persona",
        description="Name of the persona file that the assistant speaks as.",
        json_schema_extra={"langgraph_nodes": ["planner", "responder"]},
    )
    tools: list[str] | None = Field(
        None, title="Tools", description="Names of the tools that may be called; all of them when empty."
    )
    shown_tools: int = Field(
        12,
        ge=1,
        le=128,
        title="Shown tools",
        description="How many tools of APIs and MCP servers the model is shown; where there are more, those that fit "
        "the question. What an API lists under always is shown in any case.",
    )
    collection: str = Field("default", title="Collection", description="Name of the document collection to search.")
    top_k: int = Field(4, ge=1, le=50, title="Passages", description="How many passages one search returns.")
    neighbours: int = Field(
        0, ge=0, le=10, title="Neighbours", description="How many passages before and behind each are joined to it."
    )
    passage_tokens: int | None = Field(
        None, ge=50, title="Passage budget", description="Tokens that the passages of one search may have together."
    )
    owner: str | None = Field(
        None, title="Owner", description="Whose documents are searched beside those that are everybody's."
    )
    key_budget: KeyBudget | None = Field(
        None,
        title="Key",
        description="The API key that the run was started with. The service says it, and nobody else.",
    )
    budgets: Budgets = Field(
        default_factory=Budgets,
        title="Budgets",
        description="What model calls may use. Of these, the persona's and the settings' the strictest apply.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        title="Allowed hosts",
        description="Hosts that answers may link to and show images of, beside links that stand in what was found.",
        examples=["www.example.com"],
    )
    flags: bool = Field(
        True,
        title="Flags",
        description="Whether what nothing bears out in an answer is flagged: numbers and names, whole answers, and "
        "passages that contradict each other.",
    )
    max_rounds: int | None = Field(
        None,
        ge=1,
        le=20,
        title="Rounds",
        description="How often one turn may ask for tool calls before it must answer; when empty, 4, and 1 for local.",
    )
    max_fan_out: int = Field(
        32, ge=1, le=1000, title="Fan-out limit", description="The most executions of one call that uses [*]."
    )
    approvals: dict[str, Literal["always", "never"]] = Field(
        default_factory=dict,
        title="Approvals",
        description="Whether a person is asked before a write: always or never, by tool name, pattern or HTTP method; "
        "the pattern * is for the rest. A write that nothing fits is asked about.",
        examples=[{"create_refund": "always", "DELETE": "always", "*": "never"}],
    )
    tool_timeout: float = Field(
        60.0, gt=0, title="Tool timeout", description="Seconds after which a tool call counts as failed."
    )
    result_tokens: int = Field(
        2000, ge=50, title="Result budget", description="Tokens of one tool result that are shown to the model."
    )

    answer_cache: int = Field(
        0,
        ge=0,
        le=100_000,
        title="Kept answers",
        description="How many answers to keep for an owner. The same first question of the same person gets the same "
        "answer without a model, while the documents are the same; 0 for none. Runs without an owner keep none.",
    )
    history_tokens: int = Field(
        16_000,
        ge=0,
        title="History budget",
        description="Tokens of a thread past which its older turns are summarised in the prompt; 0 for never. The "
        "thread itself keeps them.",
    )
    repeat_passages: bool = Field(
        False,
        title="Repeat passages",
        description="Whether a passage that stands in the prompt already is written out again where it is found again.",
    )
    passage_sentences: int | None = Field(
        None,
        ge=1,
        title="Sentences of a passage",
        description="How many sentences of a passage the model is shown: those that hold most of the query's words. "
        "All when empty; the source stays whole.",
    )

    def over(self, *layers: dict[str, Any]) -> Context:
        """Return this context with what it leaves open filled in from other layers.

        Args:
            layers: field values, the strongest layer first. A field set explicitly here is kept, but for budgets: of
                those the strictest apply, so that nobody raises what the operator has set.
        """
        merged: dict[str, Any] = {}
        for layer in reversed(layers):
            merged |= {name: value for name, value in layer.items() if name in Context.model_fields}
        explicit = {name: getattr(self, name) for name in self.model_fields_set}
        budgets = self.budgets
        for layer in layers:
            budgets = budgets.within(layer.get("budgets") or Budgets())
        return Context(**(merged | explicit | {"budgets": budgets}))


# The context of the run that is under way, for tools: what the person, the persona and the settings came to.
current: ContextVar[Context] = ContextVar("selfhelp_context")
