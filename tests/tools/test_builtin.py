from __future__ import annotations

import json
import re

import pytest
from langchain_core.tools import ToolException, tool

from agent.errors import SettingsError
from agent.settings import Settings
from tools.calculator import calculator
from tools.clock import clock
from tools.registry import import_tools, loader


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("189.0 - 4.9", "184.1"),
        ("3 * 19.90", "59.7"),
        ("2 * (3 + 4)", "14"),
        ("+7 - -2", "9"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7.5 % 2", "1.5"),
        ("2 ** 10", "1024"),
        ("2 * 3^2", "18"),
        ("2 ** 200", str(2**200)),
        ("1_000 * 1.5", "1500"),
        ("round(10 / 3, 2)", "3.33"),
        ("round(2.675, 2)", "2.68"),
        ("round(2.5)", "3"),
        ("round(1249, -2)", "1200"),
        ("floor(0.29 * 100)", "29"),
        ("floor(-0.5)", "-1"),
        ("ceil(1.1 * 100)", "110"),
        ("max(1, 2) + min(1, 2, 0.5) + abs(-1)", "3.5"),
        ("sqrt(9)", "3"),
        ("sqrt(2) ** 2", "2"),
        ("1 / 3 * 3", "1"),
        ("1 / 3", "0.333333333333333"),
        ("1 / 30000000000", "3.33333333333333e-11"),
        ("10 ** 16 + 0.5", "10000000000000001"),
        ("1234567890123.45 * 1", "1234567890123.45"),
    ],
)
def test_the_calculator_calculates_as_people_do(expression, shown):
    assert json.dumps(calculator.invoke({"expression": expression})) == shown


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "1 % 0",
        "0 / 0",
        "sqrt(-1)",
        "2 +",
        "1; 2",
        "__import__('os')",
        "open('x')",
        "'a' * 3",
        "'%0999999999d' % 5",
        "(1).__class__",
        "x",
        "abs",
        "1 == 1",
        "True",
        "1j",
        "round(1, places=2)",
        "max(*1)",
        "min(1)",
        "1 " * 400,
        "[1, 2]",
        "\ud800",
        "1\0",
    ],
)
def test_what_is_no_arithmetic_is_refused_in_words(expression):
    with pytest.raises(ToolException, match=r"cannot calculate|longer than"):
        calculator.invoke({"expression": expression})


@pytest.mark.parametrize(
    "expression",
    ["9 ** 9 ** 9", "9**2500000 % 7**1000000", "1e999999 - 1", "10 ** 99 * 10", "0.5 ** 10 ** 9", "round(1, 10 ** 9)"],
)
def test_no_number_grows_without_bound(expression):
    with pytest.raises(ToolException, match=r"more than 100 digits|no value"):
        calculator.invoke({"expression": expression})


def test_the_clock_knows_zones_and_refuses_others():
    now = clock.invoke({"timezone": "Europe/Amsterdam"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", now["date"])
    assert set(now) == {"date", "time", "weekday", "timezone"}
    for name in ("Mars", "Europe", "../../etc/passwd", "x" * 5000, ""):
        with pytest.raises(ToolException, match=f"no time zone '{name}'"):
            clock.invoke({"timezone": name})


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
