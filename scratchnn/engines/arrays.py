"""The engine that hands everything to NumPy, PyTorch, or another library that follows the array API standard.

A matrix is an array of two dimensions. ``engine="numpy"`` and ``engine="torch"`` make one by name; ``ArrayEngine``
takes any other library, and says which numbers it computes with and where:

    Model(784, 100, 10, engine=ArrayEngine("torch", dtype="float32", device="cuda"))

Nothing is imported before it is asked for. NumPy follows the standard by itself from 2.1 on; others do with the help of
the package array-api-compat, where that is installed. Convolution and pooling look numbers up through tables of where
the window sees them, and their gradients through the same tables turned round.

How precise it is: as its numbers are, and as its library adds them up. A row's result may differ in its last bits with
how many rows are beside it, because libraries multiply large matrices in other blocks than small ones; the tests hold
float64 to 1e-12 of the largest number. float32 holds numbers up to 3e38, with 7 digits.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial, wraps
from importlib import import_module
from math import isfinite
from random import Random
from struct import unpack
from typing import Any

from ..checks import shown
from ..errors import ArgumentError
from .base import Engine, Rows, Shape, drawn_words
from .sliding_window import Window

Array = Any

ROWS_OF_ONES = 16  # lengths that are kept: those of batches, and of rows of a network's outputs

# Coefficients of rational approximations of erf and erfc: W. J. Cody 1969, "Rational Chebyshev approximations for the
# error function", Mathematics of Computation 23; from the largest power down.
_SMALL = (1.85777706184603153e-1, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947)
_SMALL_BELOW = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)
_LARGE = (
    *(2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131),
    *(881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725),
)
_LARGE_BELOW = (
    *(1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963),
    *(4362.61909014324716, 3439.36767414372164, 1230.33935480374942),
)
_SMALL_ENDS = 0.46875


def find_namespace(name: str) -> Any:
    """The module of that name, or what array-api-compat makes of it; ``ArgumentError`` says what to install."""
    if not all(map(str.isidentifier, name.split("."))):
        raise ArgumentError(f"an engine of arrays has the name of a library, such as 'numpy', got {shown(name)}")
    try:
        module = import_module(name)
    except ImportError as error:
        raise _missing(name, name.partition(".")[0], error) from None
    if hasattr(module, "__array_namespace_info__"):
        return module
    try:
        import_module("array_api_compat")
    except ImportError as error:
        raise _missing(name, "array-api-compat", error) from None
    try:
        return import_module(f"array_api_compat.{name}")
    except ImportError:
        raise ArgumentError(f"{name!r} is no library of arrays that follows the array API standard") from None


def _missing(engine: str, package: str, error: ImportError) -> ArgumentError:
    return ArgumentError(
        f"the engine {engine!r} needs {package}, which cannot be imported ({error}): python -m pip install {package}"
    )


def _quiet(operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation without warnings: numbers that run away are told by the training loop, for every engine alike."""

    @wraps(operation)
    def silent(self: ArrayEngine, *arguments: Any) -> Any:
        if self._here.silent:
            return operation(self, *arguments)
        return self.at_once(operation, self, *arguments)

    return silent


class _Here(threading.local):
    """Of each thread, whether it is silent already."""

    silent = False


class ArrayEngine(Engine):
    """Computes with arrays of ``namespace``: the name of a library, or what follows the array API standard itself.

    ``dtype`` is "float64" or "float32", ``device`` one that the library knows, or None for its usual one.
    ``ArgumentError`` for a library that is not there, or numbers of another kind.
    """

    def __init__(self, namespace: Any = "numpy", dtype: str = "float64", device: Any = None) -> None:
        self.namespace = namespace
        self.xp = find_namespace(namespace) if isinstance(namespace, str) else namespace
        if not hasattr(self.xp, "__array_namespace_info__") or not hasattr(self.xp, "__name__"):
            raise ArgumentError(
                "an engine of arrays is made of the name of a library, such as 'numpy', or a module that follows the "
                f"array API standard, got {shown(namespace)}"
            )
        if dtype not in ("float64", "float32"):
            raise ArgumentError(f"dtype is 'float64' or 'float32', got {shown(dtype)}")
        self.name = str(self.xp.__name__).replace("array_api_compat.", "")
        self.dtype = dtype
        self.device = device
        self._kind = getattr(self.xp, dtype)
        limits = self.xp.finfo(self._kind)
        self._least, self._largest, self.epsilon = map(float, (limits.smallest_normal, limits.max, limits.eps))
        try:
            self._zero = self._array([[0.0]])
        except Exception as error:  # every library has errors of its own for a device that it has not
            raise ArgumentError(f"{self.name} cannot compute on the device {shown(device)}: {error}") from None
        self._dtype = self._zero.dtype  # what matrices say they have: comparing that with itself takes no time
        self._lowest = self._array([[-self._largest]])
        self._settings = {"dtype": self._kind, "device": self.device}
        self._rows_of_ones: dict[int, Array] = {}  # by their length
        self._here = _Here()
        numpy = sys.modules.get("numpy")  # others compute with it, too
        self._silence: Callable[[], Any] = nullcontext if numpy is None else partial(numpy.errstate, all="ignore")

    def __reduce__(self) -> tuple[Any, ...]:
        name = self.namespace if isinstance(self.namespace, str) else self.namespace.__name__
        return _remade, (name, self.dtype, self.device)

    def __repr__(self) -> str:
        return f"ArrayEngine({self.name!r}, dtype={self.dtype!r}, device={self.device!r})"

    def _array(self, values: Any) -> Array:
        return self.xp.asarray(values, dtype=self._kind, device=self.device)

    def _places(self, numbers: Any) -> Array:
        return self.xp.asarray(numbers, dtype=self.xp.int64, device=self.device)

    def at_once(self, work: Callable[..., Any], *arguments: Any) -> Any:
        if self._here.silent:
            return work(*arguments)
        with self._silence():
            self._here.silent = True
            try:
                return work(*arguments)
            finally:
                self._here.silent = False

    def random_mask(self, shape: Shape, rate: float, rng: Random) -> Array:
        words, limit = drawn_words(shape[0] * shape[1], rate, rng)
        numbers: Any
        if sys.byteorder == "little" and words:
            numbers = memoryview(bytearray(words)).cast("i")
        else:
            numbers = unpack(f"<{shape[0] * shape[1]}i", words)
        drawn = self.xp.reshape(self.xp.asarray(numbers, dtype=self.xp.int32, device=self.device), shape)
        mask = self.xp.astype(drawn >= limit, self._kind)  # a choice between two numbers would take three times as long
        mask *= 1.0 / (1.0 - rate)
        return mask

    # --- functions for formulas ---------------------------------------------------------------------------------

    def exp(self, x: Array) -> Array:
        return -self.maximum(-self.xp.exp(x), -self._largest)

    def log(self, x: Array) -> Array:
        return self.xp.log(self.maximum(x, self._least))

    def log1p(self, x: Array) -> Array:
        return self.xp.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return self.xp.sqrt(x)

    def tanh(self, x: Array) -> Array:
        return self.xp.tanh(x)

    def erf(self, x: Array) -> Array:
        size, square = self.xp.abs(x), x * x
        small = x * _ratio(square, _SMALL, _SMALL_BELOW)
        large = 1.0 - self.xp.exp(-square) * _ratio(
            self.maximum(-self.maximum(-size, -26.0), 0.0), _LARGE, _LARGE_BELOW
        )
        return self.where(size <= _SMALL_ENDS, small, self.where(x < 0.0, -large, large))

    def sigmoid(self, x: Array) -> Array:
        e = self.xp.exp(-self.xp.abs(x))
        return self.where(x >= 0.0, 1.0, e) / (1.0 + e)

    def softplus(self, x: Array) -> Array:
        return self.maximum(x, 0.0) + self.xp.log1p(self.xp.exp(-self.xp.abs(x)))

    def abs(self, x: Array) -> Array:
        return self.xp.abs(x)

    def maximum(self, a: Array, b: Array) -> Array:
        return self.xp.maximum(self._as_array(a), self._as_array(b))

    def where(self, condition: Array, one: Array, other: Array) -> Array:
        if isinstance(condition, bool):
            return one if condition else other
        return self.xp.where(condition, self._as_array(one), self._as_array(other))

    def _as_array(self, x: Any) -> Array:
        """A number of a formula as an array of no dimension; what is an array stays as it is."""
        return x if getattr(x, "dtype", None) == self._dtype else self._array(x)

    # --- data ---------------------------------------------------------------------------------------------------

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> tuple[Array, float]:
        """Pixels stay one byte each until a batch is taken."""
        if rows and set(map(type, rows)) == {bytes}:
            _require_one_length(rows)
            pixels = memoryview(bytearray(b"".join(rows)))  # type: ignore[arg-type]
            array = self.xp.asarray(pixels, dtype=self.xp.uint8, device=self.device)
            return self.xp.reshape(array, (len(rows), len(rows[0]))), factor
        return self.scale(self.from_rows(rows), factor), 1.0

    def take_rows(self, prepared: tuple[Array, float], indices: Iterable[int]) -> Array:
        array, factor = prepared
        batch = self._rows_of(array, indices)
        if batch.dtype != self._dtype:
            batch = self.xp.astype(batch, self._kind)
            batch *= factor  # nobody else has it
        return batch

    def prepare_targets(self, rows: Sequence[Sequence[float]]) -> Array:
        return self.from_rows(rows)

    def take_targets(self, prepared: Array, indices: Iterable[int]) -> Array:
        return self._rows_of(prepared, indices)

    def _rows_of(self, array: Array, indices: Iterable[int]) -> Array:
        if isinstance(indices, range) and indices.step == 1 and indices.stop <= array.shape[0]:
            return array[indices.start : indices.stop, :]
        return self.xp.take(array, self._places(indices if isinstance(indices, list) else list(indices)), axis=0)

    @_quiet
    def from_rows(self, rows: Iterable[Iterable[float]]) -> Array:
        listed = [list(map(float, row)) for row in rows]
        _require_one_length(listed)
        return self.xp.reshape(self._array(listed), (len(listed), len(listed[0]) if listed else 0))

    def to_rows(self, m: Array) -> Rows:
        if hasattr(m, "tolist"):
            return m.tolist()  # type: ignore[no-any-return]
        rows, columns = m.shape
        return [[float(m[i, j]) for j in range(columns)] for i in range(rows)]

    def shape(self, m: Array) -> Shape:
        rows, columns = m.shape
        return rows, columns

    # --- products -----------------------------------------------------------------------------------------------

    # What was made on the spot, and nobody else has, is added to in place: room for a large matrix costs as much as
    # adding up its numbers.

    @_quiet
    def affine(self, x: Array, weight: Array, bias: Array) -> Array:
        if x.shape[1] != weight.shape[0] or bias.shape != (1, weight.shape[1]):
            came = f"{self.shape(x)}, {self.shape(weight)} and {self.shape(bias)}"
            raise ValueError(f"affine needs (n x k), (k x m) and (1 x m), got {came}")
        product = x @ weight
        product += bias
        return product

    @_quiet
    def matmul(self, a: Array, b: Array) -> Array:
        self._require(a.shape[1] == b.shape[0], "matmul needs as many columns on the left as rows on the right", a, b)
        return a @ b

    @_quiet
    def matmul_nt(self, a: Array, b: Array) -> Array:
        self._require(a.shape[1] == b.shape[1], "matmul_nt needs as many columns left and right", a, b)
        return a @ b.T

    @_quiet
    def matmul_tn(self, a: Array, b: Array) -> Array:
        self._require(a.shape[0] == b.shape[0], "matmul_tn needs as many rows left and right", a, b)
        return a.T @ b

    def _require(self, fits: bool, what: str, *matrices: Array) -> None:
        if not fits:
            raise ValueError(f"{what}, got {' and '.join(str(self.shape(m)) for m in matrices)}")

    def _alike(self, operation: str, a: Array, b: Array) -> None:
        if a.shape != b.shape:
            self._require(False, f"{operation} needs two matrices of the same shape", a, b)

    # --- number by number ---------------------------------------------------------------------------------------

    @_quiet
    def map(self, f: Callable[..., Any], *matrices: Array) -> Array:
        wanted = matrices[0].shape
        for m in matrices:
            if m.shape != wanted:
                wanted = self._common_shape(matrices)
                break
        try:
            found = f(*matrices)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(
                "map hands a formula whole arrays, so it is made of operators and the engine's where, maximum, exp and "
                f"so on, without if, max or math.exp: {error}"
            ) from error
        if not hasattr(found, "shape"):  # the same number everywhere
            return self.xp.full(wanted, float(found), **self._settings)
        if found.dtype != self._dtype:
            found = self.xp.astype(found, self._kind)
        return found if found.shape == wanted else self.xp.broadcast_to(found, wanted)

    def _common_shape(self, matrices: Sequence[Array]) -> Shape:
        """The shape of all, where one row counts for every row, and one column for every column."""
        rows = columns = 1
        for r, c in (m.shape for m in matrices):
            if r != 1 != rows != r or c != 1 != columns != c:
                self._require(False, "map needs matrices of one shape", *matrices)
            rows, columns = rows if r == 1 else r, columns if c == 1 else c
        return rows, columns

    @_quiet
    def relu(self, m: Array) -> tuple[Array, Array]:
        positive = self.xp.maximum(m, self._zero)
        return positive, self.xp.astype(positive != 0.0, self._kind)  # NaN passes, so that it is not hidden

    @_quiet
    def gate(self, m: Array, mask: Array) -> Array:
        self._alike("gate", m, mask)
        return m * mask  # a choice, which no processor can foresee, would take several times as long

    @_quiet
    def hadamard(self, a: Array, b: Array) -> Array:
        self._alike("hadamard", a, b)
        return a * b

    @_quiet
    def add(self, a: Array, b: Array) -> Array:
        self._alike("add", a, b)
        return a + b

    @_quiet
    def sub(self, a: Array, b: Array) -> Array:
        self._alike("sub", a, b)
        return a - b

    @_quiet
    def scale(self, m: Array, factor: float) -> Array:
        return m * factor

    @_quiet
    def add_scaled(self, a: Array, b: Array, factor: float) -> Array:
        self._alike("add_scaled", a, b)
        step = b * factor
        step += a
        return step

    # --- rows, and all of a matrix ------------------------------------------------------------------------------

    @_quiet
    def sum_rows(self, m: Array) -> Array:
        return self._ones(m.shape[0]) @ m  # faster than a sum

    @_quiet
    def sum_columns(self, m: Array) -> Array:
        return m @ self._ones(m.shape[1]).T

    def _ones(self, count: int) -> Array:
        """A row of them."""
        ones = self._rows_of_ones.get(count)
        if ones is None:
            if len(self._rows_of_ones) >= ROWS_OF_ONES:
                self._rows_of_ones = {}
            ones = self._rows_of_ones[count] = self.xp.ones((1, count), **self._settings)
        return ones

    @_quiet
    def softmax_and_log(self, m: Array) -> tuple[Array, Array]:
        if not m.shape[1]:
            raise ValueError("softmax and its relatives need at least one number a row, got an empty row")
        shifted = m - self.xp.max(m, axis=1, keepdims=True)
        exponentials = self.xp.exp(shifted)
        sums = exponentials @ self._ones(m.shape[1]).T
        exponentials /= sums
        logs = self.xp.maximum(shifted, self._lowest)
        logs -= self.xp.log(sums)
        return exponentials, logs

    def argmax_rows(self, m: Array) -> list[int]:
        if not m.shape[1]:
            raise ValueError("argmax needs at least one number a row, got none")
        largest = self.xp.argmax(m, axis=1)
        return largest.tolist() if hasattr(largest, "tolist") else [int(k) for k in largest]

    @_quiet
    def dot(self, a: Array, b: Array) -> float:
        self._alike("dot", a, b)
        count = (a.shape[0] * a.shape[1],)
        numbers = self.xp.reshape(a, count)
        return float(numbers @ (numbers if b is a else self.xp.reshape(b, count)))

    @_quiet
    def all_finite(self, m: Array) -> bool:
        # A sum that is finite has nothing else in it. Of numbers that are finite it may be infinite, too.
        return isfinite(float(self.xp.sum(m))) or bool(self.xp.all(self.xp.isfinite(m)))

    # --- images -------------------------------------------------------------------------------------------------

    def _tables(self, window: Window) -> _Tables:
        tables = window.plans.get(self._window_key)
        if tables is None:
            tables = window.plans[self._window_key] = _Tables(window, self._places)
        return tables

    @cached_property
    def _window_key(self) -> tuple[str, str]:
        return str(self.xp.__name__), repr(self.device)

    def _looked_up(self, m: Array, places: Array) -> Array:
        """For each row the numbers at these places, of which the one behind the last is 0."""
        behind = self.xp.zeros((m.shape[0], 1), **self._settings)
        found = self.xp.take(self.xp.concat([m, behind], axis=1), self.xp.reshape(places, (-1,)), axis=1)
        return self.xp.reshape(found, (m.shape[0], *places.shape))

    def _by_position(self, m: Array, window: Window, filters: int) -> Array:
        """Images of so many channels as rows of channels, one a position: n·positions x filters."""
        images = self.xp.reshape(m, (m.shape[0], filters, window.positions))
        return self.xp.reshape(self.xp.permute_dims(images, (0, 2, 1)), (m.shape[0] * window.positions, filters))

    def _patches(self, x: Array, window: Window) -> Array:
        places = self._tables(window).patches
        return self.xp.reshape(self._looked_up(x, places), (x.shape[0] * places.shape[0], places.shape[1]))

    def _handed_back(self, shares: Array, inverse: Array) -> Array:
        """What every input gets of the shares of all the places that saw it."""
        return self.xp.sum(self._looked_up(shares, inverse), axis=2)

    @_quiet
    def convolve(self, x: Array, weight: Array, bias: Array, window: Window) -> Array:
        window.require_convolution(self.shape(x), self.shape(weight), self.shape(bias))
        filters = weight.shape[1]
        sums = self.xp.reshape(self._patches(x, window) @ weight + bias, (x.shape[0], window.positions, filters))
        return self.xp.reshape(self.xp.permute_dims(sums, (0, 2, 1)), (x.shape[0], filters * window.positions))

    @_quiet
    def convolve_weights(self, x: Array, gradient: Array, window: Window) -> Array:
        filters = window.filters_of(self.shape(x), self.shape(gradient))
        return self._patches(x, window).T @ self._by_position(gradient, window, filters)

    @_quiet
    def convolve_inputs(self, gradient: Array, weight: Array, window: Window) -> Array:
        taps, filters = self.shape(weight)
        window.require_weight("convolve_inputs", taps)
        window.require_outputs("convolve_inputs", gradient.shape[1], filters)
        shares = self._by_position(gradient, window, filters) @ weight.T
        return self._handed_back(
            self.xp.reshape(shares, (gradient.shape[0], window.positions * taps)),
            self._tables(window).inverse_of_patches,
        )

    @_quiet
    def sum_channels(self, m: Array, channels: int) -> Array:
        self._require(not m.shape[1] % channels, f"sum_channels needs rows of {channels} channels of one size", m)
        images = self.xp.reshape(m, (m.shape[0], channels, m.shape[1] // channels))
        return self.xp.reshape(self.xp.sum(images, axis=(0, 2)), (1, channels))

    def repeat_columns(self, m: Array, times: int) -> Array:
        rows, columns = self.shape(m)
        repeated = self.xp.broadcast_to(m[:, :, None], (rows, columns, times))
        return self.xp.reshape(repeated, (rows, columns * times))

    @_quiet
    def max_pool(self, x: Array, window: Window) -> tuple[Array, Array]:
        window.require_inputs("max_pool", x.shape[1])
        seen = self._looked_up(x, self._tables(window).seen)
        return self.xp.max(seen, axis=2), self.xp.argmax(seen, axis=2)

    @_quiet
    def max_pool_inputs(self, gradient: Array, choices: Array, window: Window) -> Array:
        window.require_outputs("max_pool_inputs", gradient.shape[1], window.channels)
        window.require_choices(gradient.shape[0], choices.shape[0])
        tables, (rows, columns) = self._tables(window), gradient.shape
        chosen = choices[:, :, None] == self._places(range(window.taps))
        shares = self.xp.where(chosen, gradient[:, :, None], self._zero)
        return self._handed_back(self.xp.reshape(shares, (rows, columns * window.taps)), tables.inverse_of_seen)

    @_quiet
    def average_pool(self, x: Array, window: Window) -> Array:
        window.require_inputs("average_pool", x.shape[1])
        return self.xp.sum(self._looked_up(x, self._tables(window).counted), axis=2) / window.taps

    @_quiet
    def average_pool_inputs(self, gradient: Array, window: Window) -> Array:
        window.require_outputs("average_pool_inputs", gradient.shape[1], window.channels)
        return self._handed_back(gradient / window.taps, self._tables(window).inverse_of_counted)

    # --- rows of a table ----------------------------------------------------------------------------------------

    def _indices(self, x: Array, count: int) -> Array:
        named = (x >= 0.0) & (x < count)
        whole = self.xp.astype(self.where(named, x, 0.0), self.xp.int64)
        fits = named & (self.xp.astype(whole, self._kind) == x)
        if not bool(self.xp.all(fits)):
            odd = next(v for row in self.to_rows(x) for v in row if not (0.0 <= v < count and v == int(v)))
            raise ValueError(f"a row of a table of {count} is named by a whole number below that, got {odd!r}")
        return self.xp.reshape(whole, (-1,))

    def look_up(self, x: Array, weight: Array) -> Array:
        found = self.xp.take(weight, self._indices(x, weight.shape[0]), axis=0)
        return self.xp.reshape(found, (x.shape[0], x.shape[1] * weight.shape[1]))

    @_quiet
    def look_up_weights(self, x: Array, gradient: Array, count: int) -> Array:
        fits = x.shape[0] == gradient.shape[0] and gradient.shape[1] % x.shape[1] == 0
        self._require(fits, "look_up_weights needs a row of gradients for each row", x, gradient)
        lookups, numbers = x.shape[0] * x.shape[1], gradient.shape[1] // x.shape[1]
        return self._summed_by_name(self._indices(x, count), self.xp.reshape(gradient, (lookups, numbers)), count)

    def _summed_by_name(self, names: Array, rows: Array, count: int) -> Array:
        """For each of ``count`` names the sum of the rows that have it.

        Rows are sorted by their names; then neighbours of one name are added up pair by pair, and pairs of pairs, until
        each name has one row. Memory is that of the rows, whatever ``count`` is.
        """
        xp, order = self.xp, self.xp.argsort(names)
        names, rows = xp.take(names, order, axis=0), xp.take(rows, order, axis=0)
        while names.shape[0] > 1:
            places, again = self._places(range(names.shape[0])), names[1:] == names[:-1]
            if not bool(xp.any(again)):
                break
            odd = self._odd_ones(names, places)
            follows = xp.concat([odd[1:], odd[:1]])  # an odd one is added to the one before it
            next_rows = xp.concat([rows[1:, :], rows[:1, :]])
            rows = rows + xp.where(follows[:, None], next_rows, self._zero)
            kept = xp.nonzero(xp.logical_not(odd))[0]
            names, rows = xp.take(names, kept, axis=0), xp.take(rows, kept, axis=0)
        where = xp.searchsorted(names, self._places(range(count)))
        found = xp.concat([rows, xp.zeros((1, rows.shape[1]), **self._settings)])
        names = xp.concat([names, self._places([count])])
        here = xp.take(names, where, axis=0) == self._places(range(count))
        return xp.where(here[:, None], xp.take(found, where, axis=0), self._zero)

    def _odd_ones(self, names: Array, places: Array) -> Array:
        """Which of some sorted names are the second, the fourth and so on of the same name."""
        first = self.xp.searchsorted(names, names)
        return (places - first) % 2 == 1


def _remade(name: str, dtype: str, device: Any) -> ArrayEngine:
    return ArrayEngine(name, dtype, device)


def _require_one_length(rows: Sequence[Sequence[float]]) -> None:
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"a matrix needs rows of one length, got {' and '.join(map(str, sorted(widths)))}")


def _ratio(x: Array, above: Sequence[float], below: Sequence[float]) -> Array:
    """A polynomial over another one, by Horner's rule."""
    one, other = above[0] * x + above[1], below[0] * x + below[1]
    for a, b in zip(above[2:], below[2:]):
        one, other = one * x + a, other * x + b
    return one / other


class _Tables:
    """Where a window's positions look in a row, and for each number of a row who looks at it.

    A table of ``patches`` [[0, 1], [1, 2]] says that the first position sees the numbers 0 and 1, the second one 1 and
    2. Turned round it is [[0, 4], [1, 2], [3, 4]]: number 1 is seen by the entries 1 and 2; 4 stands for none.
    """

    def __init__(self, window: Window, places: Callable[[Any], Array]) -> None:
        self._window = window
        self._places = places

    @cached_property
    def patches(self) -> Array:
        """What each position sees in all channels; ``inputs`` stands for what lies in the padding."""
        return self._places(self._window.patches)

    @cached_property
    def inverse_of_patches(self) -> Array:
        return self._places(_turned_round(self._window.patches, self._window.inputs))

    @cached_property
    def counted(self) -> Array:
        """What each position of each channel sees; ``inputs`` stands for what lies in the padding."""
        return self._places(self._filled_up)

    @cached_property
    def inverse_of_counted(self) -> Array:
        """By the position, not by the entry: each of them sends the same share to all that it sees."""
        window = self._window
        positions = [[position] * window.taps for position in range(window.channels * window.positions)]
        return self._places(_turned_round(self._filled_up, window.inputs, positions))

    @cached_property
    def seen(self) -> Array:
        """The same, filled up with what is seen first instead: of equal numbers the first counts."""
        return self._places(self._filled_up_with_first)

    @cached_property
    def inverse_of_seen(self) -> Array:
        return self._places(_turned_round(self._filled_up_with_first, self._window.inputs))

    @property
    def _filled_up(self) -> list[list[int]]:
        taps, outside = self._window.taps, self._window.inputs
        return [[*patch, *[outside] * (taps - len(patch))] for patch in self._window.channel_patches]

    @property
    def _filled_up_with_first(self) -> list[list[int]]:
        taps = self._window.taps
        return [[*patch, *patch[:1] * (taps - len(patch))] for patch in self._window.channel_patches]


def _turned_round(table: Sequence[Sequence[int]], count: int, names: Sequence[Sequence[int]] | None = None) -> Rows:
    """For each of ``count`` numbers the entries of a table that name it, by their number or by ``names``; all lists are
    as long as the longest, filled up with a number that stands for none."""
    entries: list[list[Any]] = [[] for _ in range(count + 1)]
    numbers = range(sum(map(len, table))) if names is None else [n for row in names for n in row]
    for place, number in zip((place for row in table for place in row), numbers):
        entries[place].append(number)
    none = len(table) if names is not None else len(numbers)
    longest = max(map(len, entries[:count]), default=0)
    return [[*row, *[none] * (longest - len(row))] for row in entries[:count]]
