from __future__ import annotations

import re

import pytest
from langchain_core.tools import ToolException, tool

from agent.errors import SettingsError
from agent.settings import Settings
from tools.calculator import calculator
from tools.clock import clock
from tools.registry import import_tools, loader


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("189.0 - 4.9", 184.1),
        ("2 * (3 + 4)", 14),
        ("7 // 2", 3),
        ("round(10 / 3, 2)", 3.33),
        ("max(1, 2)", 2),
        ("sqrt(9)", 3.0),
    ],
)
def test_the_calculator_calculates(expression, value):
    assert calculator.invoke({"expression": expression}) == value


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "2 +",
        "__import__('os')",
        "open('x')",
        "'a' * 3",
        "9 ** 9 ** 9",
        "(1).__class__",
        "x",
        "1 == 1",
        "1 " * 400,
        "[1, 2]",
    ],
)
def test_what_is_no_arithmetic_is_refused_in_words(expression):
    with pytest.raises(ToolException, match=r"cannot calculate|no arithmetic|longer than"):
        calculator.invoke({"expression": expression})


def test_the_clock_knows_zones_and_refuses_others():
    now = clock.invoke({"timezone": "Europe/Amsterdam"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", now["date"])
    assert set(now) == {"date", "time", "weekday", "timezone"}
    with pytest.raises(ToolException, match="no time zone 'Mars'"):
        clock.invoke({"timezone": "Mars"})
    with pytest.raises(ToolException, match="no time zone"):
        clock.invoke({"timezone": "../../etc/passwd"})


@tool
def own(x: int) -> int:
    """One's own."""
    return x


several = [own]


def make():
    return [own]


@pytest.mark.parametrize("attribute", ["own", "several", "make"])
async def test_ones_own_tools_are_loaded_by_name(attribute):
    tools = await loader(())(Settings(tools=[f"{__name__}:{attribute}"]))
    assert [bound.name for bound in tools] == ["calculator", "clock", "own", "reply"]


@pytest.mark.parametrize("path", ["nowhere:x", f"{__name__}:missing", "no-colon", ":", f"{__name__}:pytest"])
def test_a_name_that_gives_no_tool_is_said(path):
    with pytest.raises(SettingsError, match="tools: "):
        list(import_tools(path))


async def test_a_tool_that_does_not_say_what_it_does_counts_as_a_write():
    effects = {bound.name: bound.effect for bound in await loader([own])(Settings())}
    assert effects == {"calculator": "read", "clock": "read", "own": "write", "reply": "read"}
