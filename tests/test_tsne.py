"""``tsne`` and ``trustworthiness``: neighbours stay neighbours, as well as with scikit-learn's exact method."""

from __future__ import annotations

import math
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
        ({"perplexity": 39}, "perplexity must be at least 1 and below the number of rows less 1, which is 39, got 39"),
        ({"perplexity": 0.5}, "perplexity must be at least 1 .* got 0.5"),
        ({"perplexity": "many"}, "perplexity must be at least 1 .* got 'many'"),
        ({"perplexity": math.nan}, "perplexity must be at least 1 .* got nan"),
        ({"dimensions": 0}, "dimensions must be a whole number of at least 1, got 0"),
        ({"iterations": 0}, "iterations must be a whole number of at least 1, got 0"),
        ({"learning_rate": 0}, 'learning_rate, if it is not "auto", must be a number above 0 .*, got 0'),
        ({"learning_rate": "fast"}, "learning_rate, .* got 'fast'"),
        ({"early_exaggeration": 0.5}, "early_exaggeration must be a number at least 1 .*, got 0.5"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
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


def test_an_embedding_must_match_its_rows() -> None:
    with pytest.raises(DataError, match="rows and embedding must be of the same length, got 40 and 39"):
        trustworthiness(ROWS, ROWS[:39])
    with pytest.raises(ValueError, match="neighbours must be fewer than half of the 40 rows, got 20"):
        trustworthiness(ROWS, ROWS, neighbours=20)
    with pytest.raises(ValueError, match="neighbours must be a whole number of at least 1, got 0"):
        trustworthiness(ROWS, ROWS, neighbours=0)
