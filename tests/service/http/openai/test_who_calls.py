"""Keys and limits, as the official client meets them."""

from __future__ import annotations

import httpx2
import openai
import pytest

from agent.settings import Settings
from service.http.app import create_app
from service.records.database import open_database
from service.records.keys import Keys, NewKey


@pytest.fixture
async def client_of(settings: Settings):
    async with open_database(settings) as database:
        wanted = {"once": NewKey("ann", per_minute=1), "ann": NewKey("ann"), "bob": NewKey("bob")}
        keys = {name: (await Keys(database).create(key))[1] for name, key in wanted.items()}
    app = create_app(settings)
    http = openai.DefaultAsyncHttpxClient(transport=httpx2.ASGITransport(app=app))
    async with app.router.lifespan_context(app), http:

        def client(who: str) -> openai.AsyncOpenAI:
            key = keys.get(who, who)
            return openai.AsyncOpenAI(base_url="http://test/v1", api_key=key, http_client=http, max_retries=0)

        yield client


async def test_a_key_that_is_wrong_or_missing_is_an_authentication_error(client_of):
    for key in ("shk_wrong_key", "none"):
        with pytest.raises(openai.AuthenticationError):
            await client_of(key).models.list()


async def test_a_caller_over_the_limit_meets_a_rate_limit_error(client_of):
    assert (await client_of("once").models.list()).data
    with pytest.raises(openai.RateLimitError):
        await client_of("once").models.list()


async def test_a_response_of_another_is_not_there(client_of, model_server):
    model_server.will("Yes.")
    ann, bob = client_of("ann"), client_of("bob")
    kept = await ann.responses.create(model="helpdesk", input="Is it?")
    for others in (bob.responses.retrieve, bob.responses.delete):
        with pytest.raises(openai.NotFoundError):
            await others(kept.id)
    with pytest.raises(openai.BadRequestError) as refused:
        await bob.responses.create(model="helpdesk", input="?", previous_response_id=kept.id)
    assert refused.value.code == "previous_response_not_found"
    assert (await ann.responses.retrieve(kept.id)).output_text == "Yes."
