"""Formulas, read once: what a function given to ``map`` does to a number becomes a line of Python for all numbers.

A formula such as ``lambda g, y: g * (1.0 - y * y)`` can be called with two floats, or with two *expressions*, which
write down what is done to them. Called with expressions a0 and a1, it gives one whose source is

    a0 * (c0 - a1 * a1)           and c0, a constant, is 1.0

and the list ``[a0 * (c0 - a1 * a1) for a0, a1 in zip(A0, A1)]`` is what calling the formula again and again would give,
to the last bit, in half of the time: calling a function of Python costs as much as all that this one does. The engine
can also see what kind of formula it is, and use lanes where it has a form for it (``pieces``).

A formula that looks at its numbers (``if``), or hands them to a function that is not the engine's, cannot be read.
"""

from __future__ import annotations

import math

from ... import linalg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

MOST_KNOWN = 128  # compiled formulas that are kept
LEAST_CONSTANT, MOST_CONSTANT = 1e-250, 1e250  # that are put together from others: further out bits would be lost
MOST_PARTS = 150  # of an expression: Python reads no more than 200 parentheses inside each other


class Expression:
    """What was done to numbers: ``source`` with {0}, {1}, ... for its parts, which are expressions or constants."""

    __slots__ = ("parts", "source")

    def __init__(self, source: str, *parts: Any) -> None:
        self.source = source
        self.parts = parts

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a formula cannot look at its numbers")

    def __add__(self, other: Any) -> Any:
        return _operation("({0} + {1})", self, other)

    def __radd__(self, other: Any) -> Any:
        return _operation("({0} + {1})", other, self)

    def __sub__(self, other: Any) -> Any:
        return _operation("({0} - {1})", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operation("({0} - {1})", other, self)

    def __mul__(self, other: Any) -> Any:
        return _operation("({0} * {1})", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operation("({0} * {1})", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _operation("({0} / {1})", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _operation("({0} / {1})", other, self)

    def __pow__(self, other: Any) -> Any:
        return _operation("({0} ** {1})", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _operation("({0} ** {1})", other, self)

    def __neg__(self) -> Any:
        return Expression("(-{0})", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return Expression("abs({0})", self)

    def __lt__(self, other: Any) -> Any:
        return _operation("({0} < {1})", self, other)

    def __le__(self, other: Any) -> Any:
        return _operation("({0} <= {1})", self, other)

    def __gt__(self, other: Any) -> Any:
        return _operation("({0} > {1})", self, other)

    def __ge__(self, other: Any) -> Any:
        return _operation("({0} >= {1})", self, other)

    def __eq__(self, other: object) -> Any:
        return _operation("({0} == {1})", self, other)

    def __ne__(self, other: object) -> Any:
        return _operation("({0} != {1})", self, other)

    def __and__(self, other: Any) -> Any:
        return _operation("({0} & {1})", self, other)

    def __or__(self, other: Any) -> Any:
        return _operation("({0} | {1})", self, other)


def _operation(source: str, *parts: Any) -> Any:
    """An expression of numbers and expressions; whatever else stands in a formula cannot be read."""
    if all(type(part) in (Expression, float, int, bool) for part in parts):
        return Expression(source, *parts)
    return NotImplemented


class Function:
    """A function that formulas may use: of numbers it gives what ``compute`` gives, of expressions an expression."""

    __slots__ = ("compute", "source")

    def __init__(self, name: str, compute: Callable[..., Any], source: str = "") -> None:
        self.compute = compute
        self.source = source or f"{name}({{0}})"

    def __call__(self, *arguments: Any) -> Any:
        if any(type(argument) is Expression for argument in arguments):
            return Expression(self.source, *arguments)
        return self.compute(*arguments)


# What compiled formulas call by these names.
_COMPUTING: dict[str, Callable[..., Any]] = {
    "exp": linalg.exp,
    "log": linalg.log,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "erf": math.erf,
    "sigmoid": linalg.sigmoid,
    "softplus": linalg.softplus,
    "maximum": linalg.maximum,
}

FUNCTIONS: dict[str, Function] = {name: Function(name, compute) for name, compute in _COMPUTING.items()}
FUNCTIONS["maximum"].source = "maximum({0}, {1})"
FUNCTIONS["where"] = Function("where", linalg.where, "({1} if {0} else {2})")


def read(f: Callable[..., Any], count: int) -> Expression | None:
    """The expression that the formula ``f`` of ``count`` numbers stands for, None if it cannot be read."""
    found: Expression | None
    try:
        found = f(*(Expression(f"a{i}") for i in range(count)))
    except Exception:
        found = None
    if type(found) is not Expression or _length(found) > MOST_PARTS:
        found = None
    return found


def _length(part: Any) -> int:
    """The parts of an expression, counted as often as they are used, as far as ``MOST_PARTS``."""
    waiting, length = [part], 0
    while waiting and length <= MOST_PARTS:
        part, length = waiting.pop(), length + 1
        if type(part) is Expression:
            waiting += part.parts
    return length


class Formulas:
    """Compiled formulas, by their source: compiling one takes as long as computing a thousand numbers."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def __reduce__(self) -> Any:  # a copy compiles its own
        return Formulas, ()

    def function(
        self, expression: Expression, units: Sequence[float | None], living: Sequence[int] | None = None
    ) -> Callable[[Sequence[Sequence[Any]]], list[Any]]:
        """What makes the list of the expression's values of one column of numbers for each of its inputs; these are in
        units, where None stands for 1. With ``living`` it is given only the columns of these inputs: the others are 0.
        """
        if living is not None and len(living) < len(units):
            found = with_zeros(expression, [i for i in range(len(units)) if i not in living])
            if type(found) is not Expression:
                return lambda columns: [found] * len(columns[0])
            expression = found
        written = Written(expression, units, living)
        function = self.known.get(written.source)
        if function is None:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            function = self.known[written.source] = eval(written.source, dict(_COMPUTING))
        return function(*written.constants)  # type: ignore[no-any-return]


def with_zeros(expression: Expression, inputs: Sequence[int]) -> Any:
    """The expression where these inputs are 0, and what is then made of constants alone is a constant:

    c0 * a0 + c1 * (a1 * a1)    with 0 for a1 is    c0 * a0 + 0.0
    """
    zeros = {f"a{i}" for i in inputs}
    known: dict[int, Any] = {}  # by the id of a part, which may be used more than once

    def changed(part: Any) -> Any:
        if type(part) is not Expression:
            return part
        if not part.parts:
            return 0.0 if part.source in zeros else part
        if id(part) not in known:
            known[id(part)] = _computed(Expression(part.source, *map(changed, part.parts)))
        return known[id(part)]

    return changed(expression)


def _computed(expression: Expression) -> Any:
    """The number that an expression of nothing but constants is; others, and what cannot be computed, as they are."""
    if any(type(part) is Expression for part in expression.parts):
        return expression
    constants = {f"c{i}": part for i, part in enumerate(expression.parts)}
    try:
        return eval(expression.source.format(*constants), dict(_COMPUTING), constants)
    except (ArithmeticError, ValueError):
        return expression


def gathered(expression: Expression, units: Sequence[float | None], factor: float) -> Any:
    """factor · expression, of numbers that are still to be multiplied by these units, with fewer operations: constants
    are put together. So the last bit may be another. None if one of them would be out of range.

        factor * (u * a0 / (c0 * sqrt(a1) + c1))    is    c2 * (a0 / (sqrt(a1) + c3))

    where c2 is factor * u / c0, and c3 is c1 / c0.
    """
    known: dict[int, tuple[Any, Any]] = {}  # by the id of a part

    def halves(part: Any) -> tuple[Any, Any]:
        """(c, what is left) of a part, which is their product; nothing is left (None) of a constant."""
        if type(part) is not Expression:
            return part, None
        if not part.parts:
            return units[int(part.source[1:])] or 1.0, part
        if id(part) not in known:
            known[id(part)] = _gathered(part.source, [halves(inner) for inner in part.parts])
        return known[id(part)]

    try:
        constant, rest = halves(expression)
        return _product(_usual(constant * factor), rest)
    except ArithmeticError:
        return None


def _gathered(source: str, parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """(c, what is left) of an operation on parts that are given so."""
    if source == "(-{0})":
        return -parts[0][0], parts[0][1]
    if source in ("({0} * {1})", "({0} / {1})", "({0} + {1})", "({0} - {1})"):
        (c, p), (d, q) = parts
        if source == "({0} * {1})":
            return _usual(c * d), p if q is None else _product(p, q)
        if source == "({0} / {1})":
            return _usual(c / d), p if q is None else Expression(source, 1.0 if p is None else p, q)
        if p is not None and q is None:  # c·p + d  =  c·(p + d/c)
            return c, Expression(source, p, d and _usual(d / c))
        if p is None and q is not None:
            return d, Expression(source, c and _usual(c / d), q)
    return 1.0, Expression(source, *[_product(c, p) for c, p in parts])


def _usual(constant: Any) -> Any:
    """A constant; ``OverflowError`` if bits were lost of it."""
    if not LEAST_CONSTANT < abs(constant) < MOST_CONSTANT:
        raise OverflowError
    return constant


def _product(p: Any, q: Any) -> Any:
    """The expression p * q, without what is 1 or missing."""
    if q is None or p is None:
        return p if q is None else q
    return q if type(p) is float and p == 1.0 else Expression("({0} * {1})", p, q)


class Written:
    """An expression as the source of a function of its constants, which gives one of columns.

    What is used more than once gets a name of its own, by a loop over a single value:

        lambda c0: lambda A: [(a0 * (b0 * (c0 - b0))) for a0, a1 in zip(*A) for b0 in (sigmoid(a1),)]
    """

    def __init__(
        self, expression: Expression, units: Sequence[float | None], living: Sequence[int] | None = None
    ) -> None:
        self.constants: list[float] = []
        self.names: dict[int, str] = {}  # by the id of the part
        self.uses: dict[int, int] = {}
        self.loops: list[str] = []
        self._count(expression)
        living = range(len(units)) if living is None else living
        inputs, units = [f"a{i}" for i in living], [units[i] for i in living]
        raw = [name if unit is None else f"r{name}" for name, unit in zip(inputs, units)]
        for name, unit in zip(inputs, units):
            if unit is not None:
                self.loops.append(f" for {name} in (r{name} * {self._constant(unit)},)")
        value = self._written(expression)
        names = ", ".join(f"c{i}" for i in range(len(self.constants)))
        over = f"{raw[0]} in A[0]" if len(raw) == 1 else f"{', '.join(raw)} in zip(*A)"
        self.source = f"lambda {names}: lambda A: [{value} for {over}{''.join(self.loops)}]"

    def _count(self, part: Any) -> None:
        if type(part) is not Expression:
            return
        self.uses[id(part)] = self.uses.get(id(part), 0) + 1
        if self.uses[id(part)] == 1:
            for inner in part.parts:
                self._count(inner)

    def _constant(self, value: float) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def _written(self, part: Any) -> str:
        if type(part) is not Expression:
            return self._constant(part)
        if not part.parts:
            return part.source
        if id(part) in self.names:
            return self.names[id(part)]
        source = part.source.format(*map(self._written, part.parts))
        if self.uses[id(part)] == 1:
            return source
        name = self.names[id(part)] = f"b{len(self.names)}"
        self.loops.append(f" for {name} in ({source},)")
        return name


def leak(expression: Expression) -> tuple[int, int, float] | None:
    """(i, j, slope) for the formula ``where(aᵢ > 0, aⱼ, slope * aⱼ)``, which lanes have a form for; None for others."""
    if expression.source != FUNCTIONS["where"].source:
        return None
    condition, one, other = expression.parts
    if not all(type(part) is Expression for part in expression.parts) or one.parts:
        return None
    if condition.source != "({0} > {1})" or other.source != "({0} * {1})":
        return None
    (looked_at, zero), factors = condition.parts, [part for part in other.parts if part is not one]
    if type(looked_at) is not Expression or looked_at.parts or type(zero) is Expression or zero:
        return None
    if len(factors) != 1 or type(factors[0]) is Expression:
        return None
    return int(looked_at.source[1:]), int(one.source[1:]), float(factors[0])
