"""Configurations: the ways to answer that are compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.context import Context
from agent.errors import SettingsError
from agent.models.providers import default_model
from agent.personas import find_persona
from agent.settings import Settings

GRAPHS = ("assistant", "react")
_NEXT = re.compile(r",(?=\s*\w+\s*=)")
# A person decides on every write, so that none is sent that the case does not expect. Answers are not kept, unless a
# configuration says so, as a case would get another one's.
ASKED = {"*": "always"}


class Configuration(BaseModel):
    """A graph and the context that it runs with.

    Args:
        name: what it is called in tables and reports.
        graph: which graph answers.
        fields: what of the context it sets.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    graph: Literal["assistant", "react"] = "assistant"
    fields: dict[str, Any] = {}

    def context(self, collection: str | None = None) -> Context:
        """Return the context of a case.

        Args:
            collection: the documents that the case searches; the configuration's own when None.
        """
        fields = {"answer_cache": 0, **self.fields, "approvals": ASKED}
        return Context(**fields | ({"collection": collection} if collection else {}))

    def effective(self, settings: Settings) -> Context:
        """Return its context with the persona's and the settings' layers applied, the model among them.

        Raises:
            SettingsError: there is no such persona.
        """
        layer = settings.layer()
        persona = find_persona(self.context().over(layer).persona, settings.personas_dir)
        context = self.context().over(persona.layer(), layer)
        return context.model_copy(update={"model": context.model or default_model(settings)})

    def fingerprint(self, settings: Settings) -> str:
        """Return a hash of all that it sets, directly or not: results under another one are not its own."""
        context = self.effective(settings)
        persona = find_persona(context.persona, settings.personas_dir)
        # Without defaults, so that a field that a later version adds changes nothing for those who leave it alone.
        parts = [self.graph, context.model_dump(mode="json", exclude_defaults=True), persona.prompt]
        return hashed(parts)


def hashed(value: Any) -> str:
    """Return a short hash of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def configurations(given: Sequence[str], models: Sequence[str]) -> list[Configuration]:
    """Read configurations as the command line has them: each of them on each model, if they do not set their own.

    Args:
        given: `NAME` or `NAME=field=value,field=value`, where the fields are `graph` and those of the context. The
            names assistant and react alone are those graphs.
        models: models to run them on; the one that is set when there is none.

    Raises:
        SettingsError: one of them cannot be read, or two have the same name.
    """
    read = [_read(each) for each in given] or [Configuration(name="assistant")]
    crossed = [each for configuration in read for each in _on(configuration, models, alone=not given)]
    if twice := [name for name, times in Counter(each.name for each in crossed).items() if times > 1]:
        raise SettingsError(f"several configurations are named {', '.join(twice)}: give each a name of its own")
    return crossed


def _on(configuration: Configuration, models: Sequence[str], *, alone: bool) -> list[Configuration]:
    if not models or "model" in configuration.fields:
        return [configuration]
    named = len(models) > 1
    return [
        configuration.model_copy(
            update={
                "name": (model if alone else f"{configuration.name} {model}") if named else configuration.name,
                "fields": {**configuration.fields, "model": model},
            }
        )
        for model in models
    ]


def _read(given: str) -> Configuration:
    name, _, rest = given.partition("=")
    fields = dict(_field(given, part) for part in _NEXT.split(rest) if part.strip())
    graph = fields.pop("graph", name.strip() if name.strip() in GRAPHS else "assistant")
    try:
        Context(**fields)
        return Configuration(name=name.strip(), graph=graph, fields=fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise SettingsError(f"--config {given}: {problems}") from None


def _field(given: str, part: str) -> tuple[str, Any]:
    field, equals, value = part.partition("=")
    if not equals:
        raise SettingsError(f"--config {given}: write NAME=field=value,field=value, such as wide=top_k=8,model=local")
    try:
        return field.strip(), json.loads(value)
    except ValueError:
        return field.strip(), value.strip()
