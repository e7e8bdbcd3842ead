from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.chat_page import CHROMIUM, Service, Stranger, opened, service_in, stranger_listening
from tests.support.model_server import ModelServer, serve
from tests.support.shop_backend import Backend


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    backend = Backend(tmp_path_factory.mktemp("shop") / "shop.sqlite")
    yield backend
    backend.kill()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, shared_model: ModelServer, shop: Backend) -> Iterator[Service]:
    with service_in(tmp_path_factory.mktemp("service"), shared_model, str(shop.client.base_url)) as service:
        service.start()
        yield service


@pytest.fixture
def model(shared_model: ModelServer) -> Iterator[ModelServer]:
    """The script of one test, for the server that all tests share."""
    with shared_model.scripted():
        yield shared_model


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with stranger_listening() as stranger:
        yield stranger


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A window of the browser that nobody has used before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(window: BrowserContext, service: Service, model: ModelServer) -> AsyncIterator[Page]:
    """The chat page, which at the end has thrown no error and shown no dialog."""
    page = await opened(window, service.url)
    yield page
    assert page.troubles == []  # type: ignore[attr-defined]
