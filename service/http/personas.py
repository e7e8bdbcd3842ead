"""Who can speak."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, Field

from agent.personas import find_personas
from agent.settings import Settings
from service.http.bodies import Page
from service.http.callers import Authenticated
from service.http.problems import Problem
from service.http.services import Shared

router = APIRouter(prefix="/api", tags=["Personas"])


class PersonaBody(BaseModel):
    """A persona."""

    name: str = Field(description="Its name.", examples=["helpdesk"])
    description: str = Field(description="What it is for.", examples=["Answers customers' questions."])
    greeting: str = Field(description="What it says when nothing was asked.", examples=["How can I help?"])


@router.get("/personas")
async def list_personas(shared: Shared, _: Authenticated) -> Page[PersonaBody]:
    """List the personas, the default one first."""
    personas = await asyncio.to_thread(find_personas, shared.settings.personas_dir)
    ordered = sorted(personas.values(), key=lambda persona: (persona.name != shared.settings.persona, persona.name))
    fields = PersonaBody.model_fields
    return Page(items=[PersonaBody(**persona.model_dump(include=set(fields))) for persona in ordered])


async def check_persona(name: str | None, settings: Settings) -> None:
    """Refuse a persona that is not there.

    Raises:
        Problem: there is none of that name.
    """
    if name is None:
        return
    personas = await asyncio.to_thread(find_personas, settings.personas_dir)
    if name not in personas:
        raise Problem(
            422, f"there is no such persona: there are {', '.join(personas)}", code="invalid", param="persona"
        )
