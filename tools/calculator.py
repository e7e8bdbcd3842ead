"""The calculator: arithmetic on numbers and nothing else."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context

from langchain_core.tools import ToolException, tool

from agent.arithmetic import NotCalculable, calculate
from tools.effects import repeatable

# As many as a JSON number keeps.
DIGITS = 15
_SHOWN = Context(prec=DIGITS, rounding=ROUND_HALF_UP)


@repeatable
@tool(parse_docstring=True)
def calculator(expression: str) -> float | int:
    """Calculate.

    Args:
        expression: numbers, + - * / // % ** and parentheses, abs ceil floor max min round sqrt; such as 3 * (19.90 - 4)
    """
    try:
        value = calculate(expression)
    except NotCalculable as error:
        raise ToolException(str(error)) from None
    whole = value.to_integral_value(ROUND_HALF_UP)
    shown = whole if value.adjusted() >= DIGITS else _SHOWN.plus(value)
    return int(whole) if shown == whole else float(shown)
