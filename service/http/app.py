"""The FastAPI app. It is run alone by `selfhelp serve`, or inside the LangGraph server, which names `app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from agent.settings import Settings, load_settings
from service.http.problems import add_problems
from service.http.services import open_services

DESCRIPTION = "An assistant that answers from your documents and acts through your APIs."


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the app. Nothing is read or opened before it starts.

    Args:
        settings: settings to use instead of selfhelp.toml and the environment.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chosen = settings or await asyncio.to_thread(load_settings)
        async with open_services(chosen) as services:
            app.state.services = services
            yield

    app = FastAPI(title="Selfhelp", description=DESCRIPTION, version=version("selfhelp"), lifespan=lifespan)
    add_problems(app)
    return app


app = create_app()
