"""Tools made of an API's OpenAPI document."""

from __future__ import annotations

from agent.apis import ApiSettings
from tools.openapi.api import Api, load_api
from tools.openapi.connections import refused
from tools.openapi.credentials import unset
from tools.openapi.errors import ApiFailed, CallFailed, Unreachable
from tools.openapi.operations import Skipped

__all__ = ["Api", "ApiFailed", "ApiSettings", "CallFailed", "Skipped", "Unreachable", "load_api", "refused", "unset"]
