"""The paths under /v1, all together."""

from __future__ import annotations

from fastapi import APIRouter

from service.http.openai import completions, models, responses

router = APIRouter()
for part in (completions, responses, models):
    router.include_router(part.router)
