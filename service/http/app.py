"""The FastAPI app. It is run alone by `selfhelp serve`, or inside the LangGraph server, which names `app`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from agent.settings import Settings, load_settings
from service.http import approvals, documents, feedback, health, me, metrics, personas, runs, threads, usage
from service.http.documentation import add_documentation
from service.http.openai import api as openai
from service.http.openai.turns import settled
from service.http.page import add_page
from service.http.problems import FAILURES, add_problems
from service.http.security import add_security
from service.http.services import open_services

DESCRIPTION = "An assistant that answers from your documents and acts through your APIs."

# Studio, and chat pages that run on this machine.
LANGGRAPH_PAGES = (r"https://(eu\.)?smith\.langchain\.com", r"https?://(localhost|127\.0\.0\.1)(:\d+)?")


def create_app(settings: Settings | None = None, *, pages: tuple[str, ...] = ()) -> FastAPI:
    """Return the app. Nothing is read or opened before it starts.

    Args:
        settings: settings to use instead of selfhelp.toml and the environment.
        pages: patterns of the origins whose pages may call without a key, beside the service's own.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chosen = settings if settings is not None else await asyncio.to_thread(load_settings)
        async with open_services(chosen) as services:
            app.state.services = services
            # What is loaded by now stays. Looking through it for garbage would hold up all streams, 0.2 s each time.
            gc.freeze()
            yield
            await settled()

    app = FastAPI(
        title="Selfhelp",
        description=DESCRIPTION,
        version=version("selfhelp"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=FAILURES,
    )
    add_problems(app)
    add_security(app, settings, pages)
    metrics.add_metrics(app)
    add_documentation(app)
    app.include_router(openai.router)
    for part in (threads, runs, approvals, documents, feedback, usage, personas, me, health, metrics):
        app.include_router(part.router)
    add_page(app)
    return app


app = create_app(pages=LANGGRAPH_PAGES)
