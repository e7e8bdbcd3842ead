"""The calculator: arithmetic on numbers and nothing else."""

from __future__ import annotations

import math

from langchain_core.tools import ToolException, tool
from simpleeval import InvalidExpression, SimpleEval

from tools.effects import repeatable

LONGEST_EXPRESSION = 500
# Rounding away what binary fractions leave: 189.0 - 4.9 is to be 184.1.
DIGITS = 10

_FUNCTIONS = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "max": max,
    "min": min,
    "round": round,
    "sqrt": math.sqrt,
}


@repeatable
@tool(parse_docstring=True)
def calculator(expression: str) -> float | int:
    """Calculate.

    Args:
        expression: numbers, + - * / // % ** and parentheses, abs ceil floor max min round sqrt; such as 3 * (19.90 - 4)
    """
    if len(expression) > LONGEST_EXPRESSION:
        raise ToolException(f"the expression is longer than {LONGEST_EXPRESSION} characters: split it")
    try:
        result = SimpleEval(functions=_FUNCTIONS).eval(expression)
    except (InvalidExpression, SyntaxError, ArithmeticError, TypeError, ValueError) as error:
        raise ToolException(f"cannot calculate {expression!r}: {error}") from None
    if isinstance(result, bool) or not isinstance(result, int | float):
        raise ToolException(f"{expression!r} is no arithmetic: write numbers and operators")
    return round(result, DIGITS) if isinstance(result, float) else result
