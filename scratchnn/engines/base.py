"""The vocabulary of engines: every operation that layers, losses, optimizers and the trainer ask of one.

An engine knows numbers, and no layer. It has a matrix type of its own, of which nobody else knows more than these
operations say; a matrix is a batch of rows, or a weight. ``lists`` is the readable engine, ``lanes`` the fast one. An
engine of one's own derives from ``Engine`` and offers them all; tests/engines holds it to what is said here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from .sliding_window import Window

    Matrix = Any  # of the engine's own type

Rows = list[list[float]]
Shape = tuple[int, int]


class Engine:
    """What every engine offers. Operations return new matrices and change none; ``ValueError`` for shapes that do not
    fit. Shapes are (rows x columns). The gradient of what an operation gives is called ``gradient``."""

    name = ""  # under which ``find_engine`` knows it, and which a model shows

    # --- data: in and out --------------------------------------------------------------------------------------

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> Any:
        """Rows (``bytes`` or floats) times ``factor``, once for a whole run, as the engine likes to read them."""
        raise NotImplementedError

    def tuned_for(self, prepared: Any, batch_size: int) -> Engine:
        """The engine to learn from these rows with, in batches of that size: itself, or one with other settings."""
        raise NotImplementedError

    def take_rows(self, prepared: Any, indices: Iterable[int]) -> Matrix:
        """Some of the prepared rows, as a matrix: a batch."""
        raise NotImplementedError

    def from_rows(self, rows: Iterable[Iterable[float]]) -> Matrix:
        """A matrix from rows of floats, copied."""
        raise NotImplementedError

    def to_rows(self, m: Matrix) -> Rows:
        """Its rows as lists of floats, to be read only."""
        raise NotImplementedError

    def shape(self, m: Matrix) -> Shape:
        """(rows, columns)."""
        raise NotImplementedError

    def form_of(self, m: Matrix) -> dict[str, Any]:
        """What a matrix is beyond its rows of floats, as plain data, for a checkpoint: {} if nothing."""
        raise NotImplementedError

    def in_form(self, rows: Rows, form: dict[str, Any]) -> Matrix:
        """The matrix that had these rows and this form, to the last bit."""
        raise NotImplementedError

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

    def sum_rows(self, m: Matrix) -> Matrix:
        """All rows added up: 1 x columns. The gradient of a bias."""
        raise NotImplementedError

    # --- number by number --------------------------------------------------------------------------------------

    def map(self, f: Callable[[float], float], m: Matrix) -> Matrix:
        """f of every number."""
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
        """a + factor·b: the step of every optimizer."""
        raise NotImplementedError

    # --- images: a row holds one, channel after channel, each row by row ----------------------------------------

    def convolve(self, x: Matrix, weight: Matrix, bias: Matrix, window: Window) -> Matrix:
        """Each filter's weighted sum of what the window sees, at each of its positions, plus the filter's bias:
        (n x inputs), (channels·taps x filters), (1 x filters) give n x filters·positions. A cross-correlation, as in
        all libraries: the kernel is not turned round."""
        raise NotImplementedError

    def convolve_weights(self, x: Matrix, gradient: Matrix, window: Window) -> Matrix:
        """The gradient of its weight."""
        raise NotImplementedError

    def convolve_inputs(self, gradient: Matrix, weight: Matrix, window: Window) -> Matrix:
        """The gradient of its input."""
        raise NotImplementedError

    def sum_channels(self, m: Matrix, channels: int) -> Matrix:
        """The sum of each channel over all images: 1 x channels. The gradient of its bias."""
        raise NotImplementedError

    def max_pool(self, x: Matrix, window: Window) -> tuple[Matrix, Any]:
        """(the largest number that the window sees in each channel at each position, what ``max_pool_inputs`` needs).
        Of equal numbers the first counts; padding is left out."""
        raise NotImplementedError

    def max_pool_inputs(self, gradient: Matrix, choices: Any, window: Window) -> Matrix:
        """The gradient of its input: all of it goes where the largest number stood."""
        raise NotImplementedError

    def average_pool(self, x: Matrix, window: Window) -> Matrix:
        """The mean of what the window sees in each channel at each position; padding counts as zeros."""
        raise NotImplementedError

    def average_pool_inputs(self, gradient: Matrix, window: Window) -> Matrix:
        """The gradient of its input: every number that was seen gets the same share."""
        raise NotImplementedError
