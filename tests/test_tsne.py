"""``tsne`` and ``trustworthiness``: neighbours stay neighbours, as well as with scikit-learn's exact method."""

from __future__ import annotations

import io
import math
import sys
from random import Random
from types import ModuleType
from typing import Any

import pytest

from scratchnn import DataError, load_digits
from scratchnn import tsne as module
from scratchnn.tsne import trustworthiness, tsne


def clouds(count: int = 40, dimensions: int = 6) -> tuple[list[list[float]], list[int]]:
    """Points in two clouds far apart, and which cloud each belongs to."""
    rng = Random(1)
    labels = [i % 2 for i in range(count)]
    return [[rng.gauss(8.0 * label, 1.0) for _ in range(dimensions)] for label in labels], labels


ROWS, LABELS = clouds()


@pytest.fixture(scope="module")
def manifold() -> ModuleType:
    """scikit-learn's own, or skip."""
    return pytest.importorskip("sklearn.manifold")


# --- the embedding as a whole ------------------------------------------------------------------------------------


def test_every_row_becomes_a_point_around_the_origin() -> None:
    points = tsne(ROWS, perplexity=10, iterations=50)
    assert [len(point) for point in points] == [2] * len(ROWS)
    assert all(type(v) is float for point in points for v in point)
    assert [sum(column) / len(points) for column in zip(*points)] == pytest.approx([0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_clouds_stay_apart_and_whole(dimensions: int) -> None:
    points = tsne(ROWS, dimensions=dimensions, perplexity=8, iterations=250)
    assert {len(point) for point in points} == {dimensions}
    same = []
    for i, point in enumerate(points):
        near = sorted(range(len(points)), key=lambda j: math.dist(point, points[j]))[1:6]
        same += [LABELS[j] == LABELS[i] for j in near]
    assert sum(same) / len(same) > 0.9  # along a line a cloud may be torn, and then its ends have other neighbours


def test_digits_keep_their_neighbours_as_well_as_with_scikit_learns_exact_method(
    manifold: ModuleType, np: ModuleType
) -> None:
    rows = [[float(v) for v in row] for row in load_digits()[0].X[:120]]
    ours = tsne(rows, perplexity=20.0, iterations=300, seed=0)
    method = manifold.TSNE(method="exact", init="random", perplexity=20.0, max_iter=300, random_state=0)
    theirs = method.fit_transform(np.array(rows)).tolist()
    assert trustworthiness(rows, ours) > 0.97
    assert trustworthiness(rows, ours) >= trustworthiness(rows, theirs) - 0.02


def test_a_seed_stands_for_one_embedding() -> None:
    def embed(seed: Any) -> list[list[float]]:
        return tsne(ROWS, perplexity=5, iterations=20, seed=seed)

    assert embed(3) == embed(3) == embed(Random(3))
    assert embed(3) != embed(4)
    assert embed(None) != embed(None)


def test_rows_may_be_of_any_kind(np: ModuleType) -> None:
    rows = [[i % 7, i % 5, i % 3] for i in range(12)]
    plain = tsne(rows, perplexity=4, iterations=10)
    assert tsne([bytes(row) for row in rows], perplexity=4, iterations=10) == plain
    assert tsne(np.array(rows), perplexity=4, iterations=10) == plain
    assert tsne(tuple(map(tuple, rows)), perplexity=4, iterations=10) == plain


@pytest.mark.parametrize("factor", [2.0**-600, 2.0**500])
def test_the_scale_of_the_rows_does_not_matter(factor: float) -> None:
    scaled = [[v * factor for v in row] for row in ROWS]
    expected = tsne(ROWS, perplexity=5, iterations=5)
    for point, other in zip(tsne(scaled, perplexity=5, iterations=5), expected):
        assert point == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("rows", [[[1.0, 2.0]] * 9, [[float(i // 3)] for i in range(9)]], ids=["one", "three"])
def test_rows_that_are_the_same_are_no_obstacle(rows: list[list[float]]) -> None:
    points = tsne(rows, perplexity=3, iterations=120)
    assert all(math.isfinite(v) for point in points for v in point)


def test_progress_hears_of_a_divergence_that_sinks() -> None:
    heard: list[tuple[int, int, float]] = []
    points = tsne(ROWS, perplexity=8, iterations=220, progress=lambda *numbers: heard.append(numbers))
    assert [(done, total) for done, total, _ in heard] == [(n, 220) for n in (50, 100, 150, 200, 220)]
    divergences = [divergence for _, _, divergence in heard]
    assert 0.0 < divergences[-1] < divergences[0]
    assert points == tsne(ROWS, perplexity=8, iterations=220)


def test_progress_shows_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    tsne(ROWS[:8], perplexity=3, iterations=120, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line[:18] for line in lines] == ["iteration  50/120 ", "iteration 100/120 ", "iteration 120/120 "]
    assert "  divergence " in lines[0] and lines[2].endswith("  0 s left")


def test_on_a_terminal_progress_is_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    tsne(ROWS[:8], perplexity=3, iterations=60, progress=True)
    shown = terminal.getvalue()
    assert "iteration 50/60 [" in shown and "\n" not in shown
    assert shown.endswith("\r") and not shown.split("\r")[-2].strip()


# --- its steps ---------------------------------------------------------------------------------------------------


def plain_probabilities(rows: list[list[float]], perplexity: float) -> list[list[float]]:
    """p_ij from equations 1 and 3 of the paper and section 3.1."""
    conditional = []
    for i, row in enumerate(rows):
        squares = [math.dist(row, other) ** 2 for other in rows]
        low, high = 1e-6, 1e6
        for _ in range(100):
            beta = math.sqrt(low * high)
            weights = [math.exp(-beta * d) if j != i else 0.0 for j, d in enumerate(squares)]
            p = [w / sum(weights) for w in weights]
            wide = math.exp(-sum(v * math.log(v) for v in p if v > 0.0)) > perplexity
            low, high = (beta, high) if wide else (low, beta)
        conditional.append(p)
    return [[(p + q) / (2 * len(rows)) for p, q in zip(*pair)] for pair in zip(conditional, zip(*conditional))]


def plain_tsne(
    rows: list[list[float]], perplexity: float, iterations: int, rate: float, exaggeration: float
) -> list[list[float]]:
    """Algorithm 1 of the paper with the gradient of equation 5 and the gains of section 3.4, pair by pair."""
    joint, rng = plain_probabilities(rows, perplexity), Random(0)
    count, pairs = len(rows), [(i, d) for i in range(len(rows)) for d in (0, 1)]
    y = [[rng.gauss(0.0, 1e-4), rng.gauss(0.0, 1e-4)] for _ in rows]
    for iteration in range(iterations):
        first = iteration < iterations // 4
        if iteration in (0, iterations // 4):
            steps, gains = dict.fromkeys(pairs, 0.0), dict.fromkeys(pairs, 1.0)
        kernel = [[1 / (1 + math.dist(a, b) ** 2) for b in y] for a in y]
        total = sum(map(sum, kernel)) - count
        for i, d in pairs:
            gradient = 0.0
            for j in range(count):
                p = joint[i][j] * (exaggeration if first else 1.0)
                gradient += 4 * (p - kernel[i][j] / total) * (y[i][d] - y[j][d]) * kernel[i][j]
            against = gradient * steps[i, d] < 0
            gains[i, d] = gains[i, d] + 0.2 if against else max(0.01, gains[i, d] * 0.8)
            steps[i, d] = (0.5 if first else 0.8) * steps[i, d] - rate * gains[i, d] * gradient
        moved = [[y[i][d] + steps[i, d] for d in (0, 1)] for i in range(count)]
        centre = [sum(column) / count for column in zip(*moved)]
        y = [[v - c for v, c in zip(point, centre)] for point in moved]
    return y


@pytest.mark.parametrize("exaggeration", [1.0, 4.0])
@pytest.mark.parametrize("iterations", [1, 3, 8, 20])
def test_the_first_steps_are_the_papers(iterations: int, exaggeration: float) -> None:
    rows = ROWS[:10]
    points = tsne(rows, perplexity=3, iterations=iterations, learning_rate=10.0, early_exaggeration=exaggeration)
    expected = plain_tsne(rows, 3, iterations, 10.0, exaggeration)
    size = max(abs(v) for point in expected for v in point)
    for point, other in zip(points, expected):
        assert point == pytest.approx(other, abs=1e-4 * size)


@pytest.mark.parametrize(("iterations", "first"), [(3, 0), (400, 100), (1000, 250), (1200, 250)])
def test_exaggeration_ends_after_a_quarter_or_250_iterations(
    monkeypatch: pytest.MonkeyPatch, iterations: int, first: int
) -> None:
    heard: list[tuple[float, float]] = []
    monkeypatch.setattr(
        module._Descent, "_step", lambda descent, joint, momentum: heard.append((joint[1][0], momentum))
    )
    tsne(ROWS[:6], perplexity=2, iterations=iterations, early_exaggeration=3.0)
    p = heard[-1][0]
    assert heard == [(pytest.approx(3.0 * p), 0.5)] * first + [(p, 0.8)] * (iterations - first)


def test_the_automatic_learning_rate_grows_with_the_rows() -> None:
    assert module._rate("auto", 4800, 12.0) == 100.0
    assert module._rate("auto", 4800, 4.0) == 300.0
    assert module._rate("auto", 40, 12.0) == 50.0
    assert module._rate(3, 4800, 12.0) == 3.0


@pytest.mark.parametrize(
    "arguments",
    [{"learning_rate": 1e12}, {"learning_rate": 1e160}, {"early_exaggeration": 1e12}, {"early_exaggeration": 1e300}],
    ids=str,
)
def test_points_that_fly_apart_are_an_error(arguments: dict[str, float]) -> None:
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=r"the points flew apart in iteration \d+: take a smaller") as raised:
        tsne(ROWS[:12], perplexity=3, iterations=60, **arguments)  # type: ignore[arg-type]
    assert f"{name} (now {value:g})" in str(raised.value)


# --- its parts ---------------------------------------------------------------------------------------------------


def distances(rows: list[list[float]]) -> list[list[float]]:
    return [[math.dist(a, b) ** 2 for b in rows] for a in rows]


@pytest.mark.parametrize("perplexity", [1.5, 5.0, 30.0, 38.5])
def test_each_point_looks_at_as_many_neighbours_as_the_perplexity_says(perplexity: float) -> None:
    for i, row in enumerate(distances(ROWS)):
        probabilities = module._conditional(row, i, perplexity)
        assert probabilities[i] == 0.0
        assert sum(probabilities) == pytest.approx(1.0)
        entropy = -sum(p * math.log(p) for p in probabilities if p > 0.0)
        assert math.exp(entropy) == pytest.approx(perplexity, rel=1e-5)


@pytest.mark.parametrize("far", [1e9, 1e12, 1e100, 1e300])
def test_a_row_far_away_does_not_change_how_many_neighbours_the_others_have(far: float) -> None:
    rows = [*map(tuple, ROWS), (far,) * len(ROWS[0])]
    for i, row in enumerate(module._squared_distances(rows)[:-1]):
        entropy = -sum(p * math.log(p) for p in module._conditional(row, i, 8.0) if p > 0.0)
        assert math.exp(entropy) == pytest.approx(8.0, rel=1e-5)


def test_rows_very_near_do_not_change_how_many_neighbours_a_row_has() -> None:
    near = [tuple(v + shift for v in ROWS[0]) for shift in (1e-12, 3e-12)]
    row = module._squared_distances([*map(tuple, ROWS), *near])[0]
    entropy = -sum(p * math.log(p) for p in module._conditional(row, 0, 8.0) if p > 0.0)
    assert math.exp(entropy) == pytest.approx(8.0, rel=1e-5)


@pytest.mark.parametrize("far", [4.0, 1e12, 1e300])
def test_more_equal_rows_than_the_perplexity_are_all_the_neighbours_there_are(far: float) -> None:
    rows = [(0.0,)] * 5 + [(1.0,)] * 5 + [(far,)]
    for i, row in enumerate(module._squared_distances(rows)[:5]):
        assert module._conditional(row, i, 2.0) == pytest.approx([0.25 * (j < 5 and j != i) for j in range(11)])


def test_squared_distances_are_squared_and_in_a_unit_of_their_own() -> None:
    squared = module._squared_distances([(0.0, 0.0), (3.0, 4.0), (0.0, 1.0), (0.0, 1.0)])
    unit = squared[0][2]
    for row, expected in zip(squared, [[0, 25, 1, 1], [25, 0, 18, 18], [1, 18, 0, 0], [1, 18, 0, 0]]):
        assert [d / unit for d in row] == pytest.approx(expected)


def test_nearer_rows_belong_together_more_and_all_pairs_make_one() -> None:
    joint = module._joint_probabilities(distances([[0.0], [1.0], [3.0], [9.0], [10.0]]), 2.0)
    assert [len(row) for row in joint] == [0, 1, 2, 3, 4]
    assert 2.0 * sum(map(sum, joint)) == pytest.approx(1.0)
    assert joint[1][0] > joint[2][1] > joint[3][2] > joint[4][0]


def columns_and_joint(dimensions: int, spread: float) -> tuple[list[list[float]], list[list[float]]]:
    rng = Random(dimensions)
    columns = [[rng.gauss(0.0, spread) for _ in ROWS] for _ in range(dimensions)]
    return columns, module._joint_probabilities(distances(ROWS), 7.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_divergence_is_the_papers(dimensions: int) -> None:
    columns, joint = columns_and_joint(dimensions, 3.0)
    points = list(zip(*columns))
    kernel = {
        (i, j): 1 / (1 + math.dist(p, q) ** 2) for i, p in enumerate(points) for j, q in enumerate(points) if i != j
    }
    total = sum(kernel.values())
    expected = 0.0
    for (i, j), k in kernel.items():
        p = joint[max(i, j)][min(i, j)]
        expected += p * math.log(p / (k / total))
    assert module._divergence(columns, joint) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("spread", [1e-4, 1.0, 40.0])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_gradient_is_the_slope_of_the_divergence(dimensions: int, spread: float) -> None:
    columns, joint = columns_and_joint(dimensions, spread)
    gradient = module._gradient(columns, joint)
    largest = max(abs(v) for row in gradient for v in row)
    h = 1e-4 * spread
    for d in range(dimensions):
        for i in (0, 7, len(ROWS) - 1):
            here, values = columns[d][i], []
            for place in (here + h, here - h):
                columns[d][i] = place
                values.append(module._divergence(columns, joint))
            columns[d][i] = here
            slope = (values[0] - values[1]) / (2 * h)
            # Of a divergence around 1, differences are good to some 1e-15.
            assert gradient[d][i] == pytest.approx(slope, abs=1e-6 * largest + 1e-14 / h)


def test_products_by_way_of_distances_are_as_good_as_any() -> None:
    rng = Random(2)
    for length in (1e-8, 1.0, 1e6):
        rows = [[length * rng.gauss(0, 1) for _ in range(30)] for _ in range(30)]
        columns = [[rng.gauss(0, 50) for _ in range(30)], [0.0] * 30]
        products = module._products(rows, columns)
        for column, found in zip(columns, products):
            exact = [math.fsum(a * b for a, b in zip(row, column)) for row in rows]
            assert found == pytest.approx(exact, abs=1e-13 * length * 50 * 30)


# --- trustworthiness ---------------------------------------------------------------------------------------------


def test_an_embedding_that_keeps_all_distances_is_wholly_trustworthy() -> None:
    assert trustworthiness(ROWS, ROWS) == 1.0
    assert trustworthiness(ROWS, [[-2.0 * v + 5.0 for v in row] for row in ROWS], neighbours=3) == 1.0


def test_one_false_neighbour_costs_its_rank() -> None:
    """On a line of 6 points, the last is embedded beside the first: worked out by hand for one neighbour."""
    line = [[0.0], [1.0], [2.1], [3.3], [4.6], [6.0]]
    folded = [[0.0], [1.0], [2.1], [3.3], [4.6], [-0.5]]
    # Now 0 has 5 as its nearest, which is 5th in the data: 4 too far; 5 has 0, also 5th: 4 too far.
    assert trustworthiness(line, folded, neighbours=1) == pytest.approx(1 - 2 * 8 / (6 * 1 * (12 - 3 - 1)))


@pytest.mark.parametrize("neighbours", [1, 5, 12])
def test_trustworthiness_is_scikit_learns(manifold: ModuleType, np: ModuleType, neighbours: int) -> None:
    rng = Random(3)
    for spread in (0.0, 1.0, 30.0):
        embedding = [[row[0] + rng.gauss(0, spread), row[1]] for row in ROWS]
        expected = manifold.trustworthiness(np.array(ROWS), np.array(embedding), n_neighbors=neighbours)
        assert trustworthiness(ROWS, embedding, neighbours) == pytest.approx(expected)


# --- what cannot be used -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"perplexity": 39}, "perplexity for 40 rows must be a number at least 1 and below 39, got 39"),
        ({"perplexity": 0.5}, "perplexity for 40 rows must be a number at least 1 .* got 0.5"),
        ({"perplexity": "many"}, "perplexity for 40 rows must be a number at least 1 .* got 'many'"),
        ({"perplexity": math.nan}, "perplexity for 40 rows must be a number at least 1 .* got nan"),
        ({"dimensions": 0}, "dimensions must be a whole number of at least 1, got 0"),
        ({"iterations": 0}, "iterations must be a whole number of at least 1, got 0"),
        ({"learning_rate": 0}, 'learning_rate, if it is not "auto", must be a number above 0 .*, got 0'),
        ({"learning_rate": "fast"}, "learning_rate, .* got 'fast'"),
        ({"early_exaggeration": 0.5}, "early_exaggeration must be a number at least 1 .*, got 0.5"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"progress": 3}, "progress must be a function, True or None, got 3"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tsne(ROWS, **arguments)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0], [2.0], [3.0]], "t-SNE needs at least 4 rows, got 3"),
        ([], "rows is empty"),
        ([[1.0, 2.0], [1.0], [2.0], [3.0]], "row 0 has 2 numbers, row 1 has 1"),
        ([[1.0], [math.nan], [2.0], [3.0]], "row 1, column 0 must be a finite number, got nan"),
        ([[1.7e308], [-1.7e308], [0.0], [1.0]], "the numbers are too large for distances between rows"),
    ],
)
def test_bad_rows_are_data_errors(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        tsne(rows, perplexity=1.5)


def test_numbers_may_be_numpys(np: ModuleType) -> None:
    plain = tsne(ROWS[:8], perplexity=3, iterations=9, learning_rate=20, early_exaggeration=4)
    numbers = {"perplexity": np.int64(3), "iterations": np.int32(9), "dimensions": np.uint8(2), "seed": np.int64(0)}
    rates = {"learning_rate": np.float32(20), "early_exaggeration": np.float64(4)}
    points = tsne(ROWS[:8], **numbers, **rates)
    assert points == plain
    assert all(type(v) is float for point in points for v in point)
    for odd in (np.array([3.0]), np.nan, np.str_("3"), 3j):
        with pytest.raises(ValueError, match="perplexity for 8 rows must be a number at least 1"):
            tsne(ROWS[:8], perplexity=odd)


def test_trustworthiness_needs_distances_that_are_numbers() -> None:
    rows = [[1.7e308], [-1.7e308], [0.0], [1.0]]
    for pair in ((rows, ROWS[:4]), (ROWS[:4], rows)):
        with pytest.raises(DataError, match="the numbers are too large for distances between rows"):
            trustworthiness(*pair, neighbours=1)


def test_an_embedding_must_match_its_rows() -> None:
    with pytest.raises(DataError, match="rows and embedding must be of the same length, got 40 and 39"):
        trustworthiness(ROWS, ROWS[:39])
    with pytest.raises(ValueError, match="neighbours must be fewer than half of the 40 rows, got 20"):
        trustworthiness(ROWS, ROWS, neighbours=20)
    with pytest.raises(ValueError, match="neighbours must be a whole number of at least 1, got 0"):
        trustworthiness(ROWS, ROWS, neighbours=0)
