"""Personas as models."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from agent.context import Context
from agent.personas import Persona, find_personas
from agent.settings import Settings
from service.http.callers import Authenticated, Caller
from service.http.openai.errors import OpenAIRoute
from service.http.openai.wire import LEAST_TOKENS
from service.http.problems import Problem
from service.http.services import Shared

DEFAULT = "selfhelp"

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=OpenAIRoute)

ModelName = Annotated[str, Path(description="Name of the persona.", examples=["helpdesk"])]


class Model(BaseModel):
    """A persona."""

    id: str = Field(description="What to ask for as `model`.", examples=["helpdesk"])
    object: Literal["model"] = Field("model", description="Kind of the object.", examples=["model"])
    created: int = Field(0, description="Always 0: a persona is a file.", examples=[0])
    owned_by: str = Field("selfhelp", description="Always selfhelp.", examples=["selfhelp"])
    description: str = Field(description="What it is for.", examples=["Answers customers from the documents."])


class Models(BaseModel):
    """All personas."""

    object: Literal["list"] = Field("list", description="Kind of the object.", examples=["list"])
    data: list[Model] = Field(description="The personas, the default one first.")


@router.get("/models")
async def list_models(shared: Shared, _: Authenticated) -> Models:
    """List the personas, as models to choose from. `selfhelp` is the default one."""
    personas = await _personas(shared.settings)
    return Models(data=[Model(id=name, description=persona.description) for name, persona in personas.items()])


@router.get("/models/{model:path}")
async def get_model(model: ModelName, shared: Shared, _: Authenticated) -> Model:
    """Return one persona."""
    persona = await persona_of(model, shared.settings)
    return Model(id=model, description=persona.description)


async def persona_of(model: str, settings: Settings) -> Persona:
    """Return the persona that a model's name stands for.

    Args:
        model: its name, or selfhelp for the default one.
        settings: the settings.

    Raises:
        Problem: there is none.
    """
    personas = await _personas(settings)
    if model not in personas:
        message = f"there is no model {model[:100]!r}: ask for {', '.join(personas)}"
        raise Problem(404, message, code="model_not_found", param="model")
    return personas[model]


async def context_of(
    settings: Settings, caller: Caller, model: str, temperature: float | None, limit: int | None
) -> Context:
    """Return how a turn runs that a client asked for.

    Args:
        settings: the settings.
        caller: who asks.
        model: the persona.
        temperature: sampling temperature, if it was given.
        limit: the most tokens of one model call, if there is a limit.

    Raises:
        Problem: there is no such persona.
    """
    persona = await persona_of(model, settings)
    given: dict[str, Any] = {"temperature": temperature, "max_tokens": max(limit, LEAST_TOKENS) if limit else None}
    wished = {name: value for name, value in given.items() if value is not None}
    return Context(persona=persona.name, **caller.context, **wished)


async def _personas(settings: Settings) -> dict[str, Persona]:
    personas = await asyncio.to_thread(find_personas, settings.personas_dir)
    default = {DEFAULT: personas[settings.persona]} if settings.persona in personas else {}
    return default | personas
