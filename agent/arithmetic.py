"""Arithmetic in decimals, as people do it with money: 0.1 + 0.2 is 0.3, and a half is rounded up."""

from __future__ import annotations

import ast
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    Underflow,
    localcontext,
)

LONGEST_EXPRESSION = 500
DIGITS = 100
# Every whole number is exact or an overflow, so no operation takes longer than its digits do.
_CONTEXT = Context(
    prec=DIGITS,
    Emax=DIGITS - 1,
    Emin=1 - DIGITS,
    rounding=ROUND_HALF_UP,
    traps=[DivisionByZero, InvalidOperation, Overflow, Underflow],
)


class NotCalculable(ValueError):
    """An expression that comes to no number; the message says why."""


def calculate(expression: str) -> Decimal:
    """Return what an expression comes to.

    Args:
        expression: numbers, + - * / // % ** (or ^) and parentheses, abs ceil floor max min round sqrt.

    Raises:
        NotCalculable: it is no arithmetic, or comes to no number or one that is too long.
    """
    if len(expression) > LONGEST_EXPRESSION:
        raise NotCalculable(f"the expression is longer than {LONGEST_EXPRESSION} characters: split it")
    written = expression.strip().replace("^", "**")
    try:
        with localcontext(_CONTEXT):
            return _value(ast.parse(written, mode="eval").body, written)
    except DivisionByZero:
        reason = "division by zero"
    except (Overflow, Underflow):
        reason = f"a number of more than {DIGITS} digits"
    except InvalidOperation:
        reason = "it has no value"
    except RecursionError:
        reason = "it is nested too deeply"
    except SyntaxError as error:
        reason = error.msg
    except (TypeError, ValueError) as error:
        reason = str(error)
    raise NotCalculable(f"cannot calculate {expression!r}: {reason}") from None


def _value(node: ast.expr, written: str) -> Decimal:
    match node:
        case ast.Constant(int() | float()):
            # As it is written, not as the nearest binary fraction.
            return +Decimal(str(ast.get_source_segment(written, node)))
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, written)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _value(operand, written)
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            return _OPERATORS[type(operator)](_value(left, written), _value(right, written))
        case ast.Call(ast.Name(name), arguments, []) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(each, written) for each in arguments))
    raise ValueError(f"{ast.unparse(node)} is no arithmetic: write numbers and operators")


def _remainder(left: Decimal, right: Decimal) -> Decimal:
    """Return a remainder with the sign of the divisor, as in Python."""
    rest = left % right
    return rest + right if rest and (rest < 0) != (right < 0) else rest


def _rounded(number: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places))


_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: Decimal.__add__,
    ast.Sub: Decimal.__sub__,
    ast.Mult: Decimal.__mul__,
    ast.Div: Decimal.__truediv__,
    ast.FloorDiv: lambda left, right: (left - _remainder(left, right)) / right,
    ast.Mod: _remainder,
    ast.Pow: Decimal.__pow__,
}

_FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "abs": abs,
    "ceil": lambda number: number.to_integral_value(ROUND_CEILING),
    "floor": lambda number: number.to_integral_value(ROUND_FLOOR),
    "max": max,
    "min": min,
    "round": _rounded,
    "sqrt": Decimal.sqrt,
}
