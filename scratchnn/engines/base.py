"""The vocabulary of engines: every operation that layers, losses, optimizers and the trainer ask of one.

An engine knows numbers, and no layer. It has a matrix type of its own, which nobody else looks into: others hand
matrices to these operations, and no more. A matrix always has two dimensions: it is a batch of rows, a weight, or a
gradient of either. ``lists`` is the readable engine, ``lanes`` the fast one, and ``arrays`` hands everything to NumPy,
PyTorch or their like. An engine of one's own derives from ``Engine`` and is handed to a model (``engine=Mine()``). What
has a body here, it need not write again; what has none raises ``NotImplementedError``, which only layers that need it
will notice. tests/engines/test_vocabulary.py holds every engine to what is said here, and says how far their results
may be apart: put yours into its table.

Whatever is a formula of single numbers goes through ``map``, and is written so that it can be given numbers as well as
whole arrays of them, with operators and the engine's own functions. With an engine called ``ops``, the gradient of
tanh, from its output y:

    ops.map(lambda g, y: g * (1.0 - y * y), gradient, y)
"""

from __future__ import annotations

import math
from struct import iter_unpack, unpack

from .. import linalg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from random import Random
    from typing import Any

    from .sliding_window import Window

    Matrix = Any  # of the engine's own type

Rows = list[list[float]]
Shape = tuple[int, int]


def drawn_words(count: int, rate: float, rng: Random) -> tuple[bytes, int]:
    """(as many whole numbers from -2**31 to 2**31 - 1, drawn at random, as little-endian words of four bytes; a limit
    that is above a share ``rate`` of them). All are drawn at once, in a sixth of the time of ``rng.random`` for each.
    """
    words = rng.getrandbits(32 * count).to_bytes(4 * count, "little") if count else b""
    return words, min(math.ceil(rate * (1 << 32)), (1 << 32) - 1) - (1 << 31)


class Engine:
    """What every engine offers. Operations return new matrices and change none; ``ValueError`` for shapes that do not
    fit. Shapes are (rows x columns). ``x_inputs`` and ``x_weights`` are the gradients of what ``x`` was given, and
    ``gradient`` is always that of what it gave, of the same shape.

    Numbers that run away are not hidden: an infinite one, or NaN, comes out again (``relu`` and ``max_pool`` let it
    pass), or the engine raises ``OverflowError`` if it cannot hold it, as one that computes with whole numbers cannot.
    But exp, log and log-softmax stay finite, ``where`` drops what it does not choose, so may ``gate``, and
    ``argmax_rows`` may pass over NaN. No operation warns.
    """

    name = ""  # under which ``find_engine`` knows it, and which a model shows
    epsilon = 2.0**-52  # of its numbers, if they are floats: from 1 to the next larger one

    # --- functions for the formulas that ``map`` is given -------------------------------------------------------
    # Each takes what ``map`` hands to a formula, or plain numbers, and gives back the same kind: these are for an
    # engine whose formulas are handed single floats. NaN gives NaN, but for ``where``. Outside of where they are
    # defined (log1p from -1 down, sqrt below 0) they may raise ``ValueError`` or give NaN.

    exp: Callable[[Any], Any] = staticmethod(linalg.exp)  # stays finite
    log: Callable[[Any], Any] = staticmethod(linalg.log)  # of 0, and below, that of the smallest positive number
    log1p: Callable[[Any], Any] = staticmethod(math.log1p)
    sqrt: Callable[[Any], Any] = staticmethod(math.sqrt)
    tanh: Callable[[Any], Any] = staticmethod(math.tanh)
    erf: Callable[[Any], Any] = staticmethod(math.erf)
    sigmoid: Callable[[Any], Any] = staticmethod(linalg.sigmoid)  # 1 / (1 + e⁻ˣ)
    softplus: Callable[[Any], Any] = staticmethod(linalg.softplus)  # log(1 + eˣ)
    abs: Callable[[Any], Any] = staticmethod(abs)
    maximum: Callable[[Any, Any], Any] = staticmethod(linalg.maximum)
    where: Callable[[Any, Any, Any], Any] = staticmethod(linalg.where)  # (condition, one, other): both are computed

    # --- data: in and out --------------------------------------------------------------------------------------

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> Any:
        """Rows (``bytes`` or floats) times ``factor``, once for a whole run, as the engine likes to read them. The
        factor is 1/255 for pixels, for instance. What is read may be rounded to what the engine holds."""
        raise NotImplementedError

    def tuned_for(self, prepared: Any, batch_size: int) -> Engine:
        """The engine to learn from these rows with, in batches of that size: itself, or one with other settings, which
        reads the same prepared rows."""
        return self

    @property
    def loss_engine(self) -> Engine:
        """The engine that losses are computed on: itself, or that of lists, which takes what ``to_rows`` gives; the
        gradient of a loss then goes back through ``from_rows``. Targets are prepared and taken on this engine."""
        return self

    def at_once(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """``work(*arguments)``, which is made of many operations. An engine that prepares or checks something around
        each of them may do so once around all, and then errors may come only at the end."""
        return work(*arguments)

    def take_rows(self, prepared: Any, indices: Iterable[int]) -> Matrix:
        """Some of the prepared rows, as a matrix: a batch."""
        raise NotImplementedError

    def prepare_targets(self, rows: Sequence[Sequence[float]]) -> Any:
        """Rows of floats, once for a whole run, for ``take_targets``, which gives these very numbers, as far
        as the engine's floats hold them."""
        return rows

    def take_targets(self, prepared: Any, indices: Iterable[int]) -> Matrix:
        """Some of the rows that ``prepare_targets`` was given, as a matrix."""
        return self.from_rows([prepared[i] for i in indices])

    def from_rows(self, rows: Iterable[Iterable[float]]) -> Matrix:
        """A matrix from rows of floats, copied."""
        raise NotImplementedError

    def from_doubles(self, doubles: bytes, shape: Shape) -> Matrix:
        """A matrix of that shape from its numbers as a file holds them: finite little-endian doubles, row after row."""
        return self.from_rows(iter_unpack(f"<{shape[1]}d", doubles))

    def to_rows(self, m: Matrix) -> Rows:
        """Its rows as lists of floats. They may be the matrix itself, and are not to be changed."""
        raise NotImplementedError

    def shape(self, m: Matrix) -> Shape:
        """(rows, columns)."""
        raise NotImplementedError

    def form_of(self, m: Matrix) -> dict[str, Any]:
        """What a matrix is beyond its rows of floats, as plain data, for a checkpoint: {} if nothing. The
        unit of its whole numbers, for instance. ``in_form(to_rows(m), form_of(m))`` is ``m``."""
        return {}

    def in_form(self, rows: Rows, form: dict[str, Any]) -> Matrix:
        """The matrix that had these rows and this form, to the last bit."""
        return self.from_rows(rows)

    # --- products ----------------------------------------------------------------------------------------------

    def affine(self, x: Matrix, weight: Matrix, bias: Matrix) -> Matrix:
        """x·weight + bias for (n x k), (k x m) and (1 x m), which is added to every row: n x m."""
        raise NotImplementedError

    def matmul(self, a: Matrix, b: Matrix) -> Matrix:
        """a·b for (m x k) and (k x n): m x n."""
        raise NotImplementedError

    def matmul_nt(self, a: Matrix, b: Matrix) -> Matrix:
        """a·bᵀ for (m x k) and (n x k): m x n. The gradient of a layer's input."""
        raise NotImplementedError

    def matmul_tn(self, a: Matrix, b: Matrix) -> Matrix:
        """aᵀ·b for (k x m) and (k x n): m x n. The gradient of a weight."""
        raise NotImplementedError

    # --- number by number --------------------------------------------------------------------------------------

    def map(self, f: Callable[..., Any], *matrices: Matrix) -> Matrix:
        """f of the numbers at each place of one matrix or several.

        ``f`` uses operators and the functions above, and gives a float that depends on what it is given. A matrix of
        one row counts for every row, one of one column for every column: any of (n x m), (1 x m), (n x 1) together give
        n x m. (``add``, ``sub`` and ``hadamard`` need one shape.) A formula never divides by 0, and squares with ``*``.
        An engine may hand ``f`` whole arrays: so it has ``where`` and not ``if``, ``maximum`` and not ``max``, & and |
        and not ``and`` and ``or``, neither ``not`` nor ~, and changes nothing in place (no ``+=``); it may call ``f``
        once for all numbers, so ``f`` draws none at random. ``ArgumentError`` says so where a formula cannot be given
        arrays.
        """
        raise NotImplementedError

    def relu(self, m: Matrix) -> tuple[Matrix, Any]:
        """(max(m, 0), a mask of what was above 0, for ``gate``)."""
        raise NotImplementedError

    def gate(self, m: Matrix, mask: Any) -> Matrix:
        """m where the mask is set, 0 elsewhere."""
        raise NotImplementedError

    def hadamard(self, a: Matrix, b: Matrix) -> Matrix:
        """The products of numbers at the same place."""
        raise NotImplementedError

    def add(self, a: Matrix, b: Matrix) -> Matrix:
        """a + b."""
        raise NotImplementedError

    def sub(self, a: Matrix, b: Matrix) -> Matrix:
        """a - b."""
        raise NotImplementedError

    def scale(self, m: Matrix, factor: float) -> Matrix:
        """factor·m."""
        raise NotImplementedError

    def add_scaled(self, a: Matrix, b: Matrix, factor: float) -> Matrix:
        """a + factor·b: the last step of every optimizer."""
        raise NotImplementedError

    def random_mask(self, shape: Shape, rate: float, rng: Random) -> Matrix:
        """0 with probability ``rate``, 1 / (1 - rate) otherwise, to multiply by (``hadamard``): 0 where what
        ``drawn_words`` has drawn, row by row, is below its limit. So one generator gives the same mask on every engine.
        """
        (rows, columns), kept = shape, 1.0 / (1.0 - rate)
        words, limit = drawn_words(rows * columns, rate, rng)
        numbers = unpack(f"<{rows * columns}i", words)
        values = [0.0 if number < limit else kept for number in numbers]
        return self.from_rows([values[i * columns : (i + 1) * columns] for i in range(rows)])

    # --- rows, and all of a matrix -----------------------------------------------------------------------------

    def sum_rows(self, m: Matrix) -> Matrix:
        """All rows added up: 1 x columns. The gradient of a bias."""
        raise NotImplementedError

    def sum_columns(self, m: Matrix) -> Matrix:
        """All columns added up: rows x 1."""
        raise NotImplementedError

    def softmax_and_log(self, m: Matrix) -> tuple[Matrix, Matrix]:
        """(softmax, log-softmax) of each row, eˣ / Σ eˣ and its logarithm, which stays finite, for the price of one."""
        raise NotImplementedError

    def softmax_inputs(self, gradient: Matrix, softmax: Matrix) -> Matrix:
        """The gradient of softmax's input: y·(g - Σ g·y) for its output y."""
        along = self.sum_columns(self.hadamard(gradient, softmax))
        return self.map(lambda g, y, total: y * (g - total), gradient, softmax, along)

    def log_softmax_inputs(self, gradient: Matrix, softmax: Matrix) -> Matrix:
        """The gradient of log-softmax's input: g - y·Σ g for the softmax y."""
        return self.map(lambda g, y, total: g - y * total, gradient, softmax, self.sum_columns(gradient))

    def argmax_rows(self, m: Matrix) -> list[int]:
        """Where the largest number of each row stands; the first of equal ones."""
        raise NotImplementedError

    def dot(self, a: Matrix, b: Matrix) -> float:
        """The sum of the products of numbers at the same place: what adds up a loss, or gives a squared norm."""
        raise NotImplementedError

    def all_finite(self, m: Matrix) -> bool:
        """Whether no number is infinite or NaN."""
        raise NotImplementedError

    # --- images: a row of a matrix holds one, channel after channel, each line by line ----------------------------

    def convolve(self, x: Matrix, weight: Matrix, bias: Matrix, window: Window) -> Matrix:
        """Each filter's weighted sum of what the window sees, at each of its positions, plus the filter's bias: (n x
        inputs), (channels·taps x filters), (1 x filters) give n x filters·positions, filter after filter, where taps
        are the kernel's height times its width, and padding counts as zeros. A cross-correlation, as in all libraries:
        the kernel is not turned round."""
        raise NotImplementedError

    def convolve_weights(self, x: Matrix, gradient: Matrix, window: Window) -> Matrix:
        """The gradient of ``convolve``'s weight."""
        raise NotImplementedError

    def convolve_inputs(self, gradient: Matrix, weight: Matrix, window: Window) -> Matrix:
        """The gradient of ``convolve``'s input."""
        raise NotImplementedError

    def sum_channels(self, m: Matrix, channels: int) -> Matrix:
        """The sum of each channel over all images: 1 x channels. The gradient of ``convolve``'s bias."""
        raise NotImplementedError

    def repeat_columns(self, m: Matrix, times: int) -> Matrix:
        """Each column so many times, side by side (a a b b): (n x c) gives n x c·times. One number a channel becomes
        one a pixel. For one row ``sum_channels`` is the gradient."""
        raise NotImplementedError

    def max_pool(self, x: Matrix, window: Window) -> tuple[Matrix, Any]:
        """(the largest number that the window sees in each channel at each position, what ``max_pool_inputs`` needs).
        Of equal numbers the first counts; padding is left out."""
        raise NotImplementedError

    def max_pool_inputs(self, gradient: Matrix, choices: Any, window: Window) -> Matrix:
        """The gradient of ``max_pool``'s input: it goes where the largest numbers stood, and adds up where windows
        overlap."""
        raise NotImplementedError

    def average_pool(self, x: Matrix, window: Window) -> Matrix:
        """The mean of what the window sees in each channel at each position; padding counts as zeros."""
        raise NotImplementedError

    def average_pool_inputs(self, gradient: Matrix, window: Window) -> Matrix:
        """The gradient of ``average_pool``'s input: all numbers that were seen get the same share, which adds up where
        windows overlap."""
        raise NotImplementedError

    # --- rows of a table: what an embedding looks up -------------------------------------------------------------

    def look_up(self, x: Matrix, weight: Matrix) -> Matrix:
        """x (n x k) holds numbers of rows of ``weight`` (count x d), counted from 0: these rows side by side, n x k·d.
        ``ValueError`` for a number that is negative, not whole, too large or NaN."""
        raise NotImplementedError

    def look_up_weights(self, x: Matrix, gradient: Matrix, count: int) -> Matrix:
        """The gradient of ``look_up``'s weight (count x d): a row that was named several times gets the sum."""
        raise NotImplementedError
