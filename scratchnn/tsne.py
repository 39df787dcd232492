"""t-SNE: draws rows of many dimensions as points on a plane, so that near neighbours stay near neighbours.

The exact method of van der Maaten and Hinton (Visualizing data using t-SNE, Journal of Machine Learning Research 9,
2008): all pairs of points are looked at, so time and memory grow with the square of their number; 500 points take about
a minute. ``trustworthiness`` measures how well an embedding keeps neighbours.

    points = tsne(rows, perplexity=30.0, seed=0)        # one [x, y] a row
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import add, mul
from random import Random
from typing import Any

from . import linalg
from .checks import require_number, require_size
from .errors import ArgumentError, DataError
from .preprocessing.rows import as_rows

Rows = list[list[float]]
Triangle = list[list[float]]
"""A symmetric matrix without its upper half: row i has the i entries left of the diagonal."""
Progress = Callable[[int, int, float], Any]

# The settings of the paper, section 3.4, but for the exaggeration (4 there) and its 250 iterations (50 there), which
# have become customary since.
EXAGGERATED_ITERATIONS = 250
MOMENTUM_AT_FIRST, MOMENTUM = 0.5, 0.8
GAIN_STEP, GAIN_FACTOR, SMALLEST_GAIN = 0.2, 0.8, 0.01
FIRST_DEVIATION = 1e-4
PROGRESS_EVERY = 50  # iterations: the divergence costs about as much as an iteration
FARTHEST = 1e7  # from the centre: farther out, the 1 of a kernel is lost in the rounding of |y|², and nothing is right

_BISECTIONS = 60
_PERPLEXITY_TOLERANCE = 1e-6  # of its logarithm
_LARGEST_GAP = 1e100  # its exp(-gap) is 0, and times 0 it is no NaN, as infinity would be


def tsne(
    rows: Any,
    *,
    dimensions: int = 2,
    perplexity: float = 30.0,
    iterations: int = 1000,
    learning_rate: float | str = "auto",
    early_exaggeration: float = 12.0,
    seed: int | Random | None = 0,
    progress: Progress | bool | None = None,
) -> Rows:
    """An embedding of ``rows`` (samples x features): one row of ``dimensions`` coordinates for each, around 0.

    ``perplexity`` is about how many neighbours a point looks at; it must be below the number of rows less 1.
    ``learning_rate`` "auto" is n / early_exaggeration / 4, at least 50 (Belkina et al., Nature Communications 10,
    2019). For the first 250 iterations, or the first quarter if there are fewer than 1000, points that belong together
    attract each other ``early_exaggeration`` times as much. ``seed`` (a number, or a generator) decides where points
    start: on one version of Python the same seed gives the same points. Versions differ in how they round sums and
    distances, and what begins as a difference in the last digit has grown after hundreds of iterations.
    ``progress`` True shows progress on standard error; a function is called every 50 iterations and after the last with
    the number of iterations done, of those to be done, and the Kullback-Leibler divergence, which sinks as the
    embedding gets better.

    Raises ``DataError`` for rows that cannot be used, ``ValueError`` for other arguments that make no sense, and for a
    ``learning_rate`` or an ``early_exaggeration`` that drives points apart without end.
    """
    from .progress import step_listener

    points = _as_points(rows, "rows")
    count = len(points)
    if count < 4:
        raise DataError(f"t-SNE needs at least 4 rows, got {count}")
    dimensions, iterations = require_size("dimensions", dimensions), require_size("iterations", iterations)
    early_exaggeration = require_number("early_exaggeration", early_exaggeration, 1.0)
    rate = _rate(learning_rate, count, early_exaggeration)
    perplexity = require_number(f"perplexity for {count} rows", perplexity, 1.0, count - 1.0)
    rng = seed if isinstance(seed, Random) else Random() if seed is None else Random(require_size("seed", seed, 0))
    tell, close = step_listener(progress, "iteration", "divergence {:.4f}".format)
    joint = _joint_probabilities(_squared_distances(points), perplexity)
    start = [[rng.gauss(0.0, FIRST_DEVIATION) for _ in range(dimensions)] for _ in range(count)]
    descent = _Descent([list(column) for column in zip(*start)], joint, rate)
    try:
        descent.run(iterations, early_exaggeration, tell)
    finally:
        close()
    return [list(row) for row in zip(*descent.columns)]


def _rate(learning_rate: Any, count: int, early_exaggeration: float) -> float:
    if isinstance(learning_rate, str) and learning_rate == "auto":
        return max(count / early_exaggeration / 4.0, 50.0)
    return require_number('learning_rate, if it is not "auto",', learning_rate, 0.0, above=True)


def _as_points(rows: Any, name: str) -> list[tuple[float, ...]]:
    """Checked rows as tuples of floats, all distances between which are finite."""
    points = [tuple(map(float, row)) for row in as_rows(rows, name)]
    columns = list(zip(*points))
    if not math.isfinite(math.dist(list(map(min, columns)), list(map(max, columns)))):
        raise DataError(f"{name}: the numbers are too large for distances between rows")
    return points


# --- what is near what, in the data ------------------------------------------------------------------------


def _squared_distances(points: Sequence[tuple[float, ...]]) -> Rows:
    """All squared distances (n x n) in units of their own; the method never sees scale. The largest is made 1e300, so
    that none overflows, and none vanishes beside one that is 1e300 times as large."""
    distance = math.dist
    lower = [[distance(p, q) for q in points[:i]] for i, p in enumerate(points)]
    unit = max(map(max, lower[1:])) or 1.0
    return _mirrored([[(d / unit * 1e150) ** 2 for d in row] for row in lower])


def _mirrored(lower: Triangle) -> Rows:
    """The whole symmetric matrix, with zeros on its diagonal."""
    zeros = [0.0] * len(lower)
    rows = [row + zeros[i:] for i, row in enumerate(lower)]
    # Taking a column at a time in C costs a tenth of working the other half out again.
    for i, (row, column) in enumerate(zip(rows, list(zip(*rows)))):
        row[i:] = column[i:]
    return rows


def _joint_probabilities(distances: Rows, perplexity: float) -> Triangle:
    """p_ij = (p_j|i + p_i|j) / 2n (equation 3 and section 3.1): symmetric, and 1 in all over both halves."""
    conditional = [_conditional(row, i, perplexity) for i, row in enumerate(distances)]
    share = 0.5 / len(distances)
    return [
        [(p + q) * share for p, q in zip(row[:i], column)]
        for i, (row, column) in enumerate(zip(conditional, zip(*conditional)))
    ]


def _conditional(distances: Sequence[float], i: int, perplexity: float) -> list[float]:
    """p_j|i for all j: a Gaussian around point i, as narrow as the perplexity asks for, and 0 for i itself.

    Perplexity is exp(entropy), the number of equally likely neighbours that would be as uncertain. It falls as
    β = 1/2σ² grows, so β is found by bisection; until the bracket has an upper end it is doubled instead. Distances
    are first taken in units of the one to about the last neighbour that counts, so that β is not far from 1, although
    a row far away from all others makes their distances tiny.
    """
    others = [*distances[:i], *distances[i + 1 :]]
    nearest = min(others)
    gaps = [d - nearest for d in others]  # a common factor of all p: the nearest keeps exp from vanishing
    reach = next((gap for gap in sorted(gaps)[int(perplexity) :] if gap > 0.0), 1.0)
    gaps = [min(gap / reach, _LARGEST_GAP) for gap in gaps]
    wanted = math.log(perplexity)
    low, beta, high = 0.0, 1.0, math.inf
    for _ in range(_BISECTIONS):
        weights = [math.exp(-beta * gap) for gap in gaps]
        total = sum(weights)
        # entropy = -Σ p log p with p = weight / total and log weight = -β·gap
        entropy = math.log(total) + beta * linalg.dot(weights, gaps) / total
        if abs(entropy - wanted) < _PERPLEXITY_TOLERANCE:
            break
        if entropy > wanted:
            low, beta = beta, 2.0 * beta if high == math.inf else 0.5 * (beta + high)
        else:
            high, beta = beta, 0.5 * (low + beta)
    probabilities = [weight / total for weight in weights]
    probabilities.insert(i, 0.0)
    return probabilities


# --- the embedding -----------------------------------------------------------------------------------------


def _kernels(columns: Sequence[Sequence[float]]) -> Triangle:
    """1 / (1 + |y_i - y_j|²) for all pairs: Student's t with one degree of freedom (equation 4), not divided by its
    sum. |a - b|² is taken as |a|² + |b|² - 2ab, as the 1 swallows the rounding that costs."""
    squares = [1.0 + sum(map(mul, point, point)) for point in zip(*columns)]
    if len(columns) == 2:  # the usual case, and where most of the time goes: one pass for everything
        points = list(zip(squares, *columns))
        doubled = [(s - 1.0, 2.0 * x, 2.0 * y) for s, x, y in points]
        return [
            [1.0 / (own + s - x2 * x - y2 * y) for s, x, y in points[:i]] for i, (own, x2, y2) in enumerate(doubled)
        ]
    kernels = []
    for i, point in enumerate(zip(*columns)):
        sums = [squares[i] - 1.0 + s for s in squares[:i]]
        for own, column in zip(point, columns):
            twice = 2.0 * own
            sums = [s - twice * a for s, a in zip(sums, column)]
        kernels.append([1.0 / s for s in sums])
    return kernels


def _gradient(columns: Sequence[Sequence[float]], joint: Triangle) -> Rows:
    """dKL/dy = 4·Σ_j (p_ij - q_ij)·(y_i - y_j)·kernel_ij (equation 5), a list for each dimension.

    With w_ij = (p_ij - q_ij)·kernel_ij, symmetric, the sum is y_i·Σ_j w_ij - Σ_j w_ij·y_j: a sum and a dot product.
    """
    kernels = _kernels(columns)
    share = 0.5 / sum(map(sum, kernels))  # q_ij = kernel_ij · share, as each pair counts twice
    weights = _mirrored([[(p - k * share) * k for p, k in zip(*pair)] for pair in zip(joint, kernels)])
    sums = list(map(sum, weights))
    return [
        [4.0 * (own * s - product) for own, s, product in zip(column, sums, products)]
        for column, products in zip(columns, _products(weights, columns))
    ]


def _products(rows: Sequence[Sequence[float]], columns: Sequence[Sequence[float]]) -> Rows:
    """The dot products of all rows with each column, as a·b = (|a|² + |b|² - |a - b|²) / 2.

    ``math.dist`` is the fastest loop over two vectors that all Pythons have. The error is some 1e-16·(|a|² + |b|²), so
    columns are first scaled to be as long as the rows are on the average: then it is about that of an ordinary product.
    """
    distance, ready = math.dist, list(map(tuple, rows))
    zeros = (0.0,) * len(rows)
    squares = [distance(row, zeros) ** 2 for row in ready]
    length = math.sqrt(linalg.mean(squares))
    products = []
    for column in columns:
        factor = length / (distance(column, zeros) or 1.0) or 1.0
        scaled = tuple([v * factor for v in column])
        own, share = distance(scaled, zeros) ** 2, 0.5 / factor
        products.append([(s + own - distance(row, scaled) ** 2) * share for s, row in zip(squares, ready)])
    return products


def _divergence(columns: Sequence[Sequence[float]], joint: Triangle) -> float:
    """KL(P||Q) = Σ p·log(p/q) over both halves (equation 2)."""
    kernels = _kernels(columns)
    share = 0.5 / sum(map(sum, kernels))
    log = math.log
    parts = [p * log(p / (k * share)) for row in zip(joint, kernels) for p, k in zip(*row) if p > 0.0]
    return 2.0 * math.fsum(parts)


class _Descent:
    """Gradient descent with momentum, and for each coordinate a gain on the learning rate: it grows while the gradient
    keeps its sign and shrinks when it changes (Jacobs, Neural Networks 1, 1988). A list for each dimension."""

    def __init__(self, columns: Rows, joint: Triangle, rate: float) -> None:
        self.columns = columns
        self.joint = joint
        self.rate = rate

    def run(self, iterations: int, exaggeration: float, progress: Progress | None) -> None:
        exaggerated = min(EXAGGERATED_ITERATIONS, iterations // 4)
        joint, momentum = [[p * exaggeration for p in row] for row in self.joint], MOMENTUM_AT_FIRST
        self._set_off()
        for iteration in range(iterations):
            if iteration == exaggerated:
                joint, momentum = self.joint, MOMENTUM
                self._set_off()  # by now most gains are small, and it takes long until they have grown again
            if not self._stays(joint, momentum):
                raise ArgumentError(
                    f"the points flew apart in iteration {iteration + 1}: take a smaller learning_rate (now "
                    f"{self.rate:g}) or early_exaggeration (now {exaggeration:g})"
                )
            done = iteration + 1
            if progress is not None and (done % PROGRESS_EVERY == 0 or done == iterations):
                progress(done, iterations, _divergence(self.columns, self.joint))

    def _set_off(self) -> None:
        self.steps = [[0.0] * len(column) for column in self.columns]
        self.gains = [[1.0] * len(column) for column in self.columns]

    def _stays(self, joint: Triangle, momentum: float) -> bool:
        """Take a step; whether all points are still where kernels can be worked out."""
        try:
            self._step(joint, momentum)
        except (ArithmeticError, ValueError):  # a square or a sum beyond the largest double, inf - inf
            return False
        # A coordinate that is infinite or NaN makes the centre so, and by it all others: none can hide behind max.
        return all(max(map(abs, column)) < FARTHEST for column in self.columns)

    def _step(self, joint: Triangle, momentum: float) -> None:
        for number, gradient in enumerate(_gradient(self.columns, joint)):
            pairs = zip(self.gains[number], self.steps[number], gradient)
            gains = [g + GAIN_STEP if s * d < 0.0 else max(SMALLEST_GAIN, g * GAIN_FACTOR) for g, s, d in pairs]
            triples = zip(self.steps[number], gains, gradient)
            steps = [momentum * s - self.rate * g * d for s, g, d in triples]
            moved = list(map(add, self.columns[number], steps))
            centre = linalg.mean(moved)  # the gradient does not say where the cloud should float
            self.columns[number] = [y - centre for y in moved]
            self.gains[number], self.steps[number] = gains, steps


# --- how good it is ----------------------------------------------------------------------------------------


def trustworthiness(rows: Any, embedding: Any, neighbours: int = 5) -> float:
    """How far neighbours in the embedding are neighbours in the data: from 0 to 1, which is all of them.

    Each of the ``neighbours`` nearest to a point in ``embedding`` (samples x dimensions) that is not among as many
    nearest in ``rows`` (samples x features) costs by how far down the row's list it stands (Venna and Kaski, Neural
    Networks 19, 2006). Raises ``DataError`` for rows that do not match, ``ValueError`` for ``neighbours`` that are not
    fewer than half the rows.
    """
    data, points = _as_points(rows, "rows"), _as_points(embedding, "embedding")
    count = len(data)
    if len(points) != count:
        raise DataError(f"rows and embedding must be of the same length, got {count} and {len(points)}")
    if not require_size("neighbours", neighbours) < count / 2:
        raise ArgumentError(f"neighbours must be fewer than half of the {count} rows, got {neighbours}")
    excess = 0
    for i in range(count):
        rank = {j: place for place, j in enumerate(_nearest(data, i), 1)}
        excess += sum(max(0, rank[j] - neighbours) for j in _nearest(points, i)[:neighbours])
    return 1.0 - 2.0 * excess / (count * neighbours * (2 * count - 3 * neighbours - 1))


def _nearest(points: Sequence[tuple[float, ...]], i: int) -> list[int]:
    """All other points, the nearest to point i first; of those as near as each other the first in the list."""
    distances = [math.dist(points[i], point) for point in points]
    order = sorted(range(len(points)), key=distances.__getitem__)
    order.remove(i)
    return order
