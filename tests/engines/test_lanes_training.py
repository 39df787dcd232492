"""Training and predicting on the engine ``lanes`` where numbers are far apart: as good as on floats.

Small steps add up, a wild cell costs its own row only, what is exactly zero wipes nothing out, and a model that was
fitted on floats without scaling says the same on lanes. The oracle is ``linalg``.
"""

from __future__ import annotations

import math
from operator import mul
from random import Random
from typing import Any

import pytest

from scratchnn import Model, linalg
from scratchnn.engines.lanes.engine import WIDTHS, Lanes
from scratchnn.engines.lanes.matrix import Block, LaneMatrix, Samples
from scratchnn.optim import SGD, Adaptive


@pytest.fixture(params=[None, *WIDTHS], ids=lambda width: f"lanes-{width or 'default'}")
def ops(request: pytest.FixtureRequest) -> Lanes:
    """An engine of each width."""
    return Lanes(request.param)


def table(count: int, columns: int, seed: int) -> tuple[list[list[float]], list[int]]:
    rng = Random(seed)
    X = [[rng.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(count)]
    return X, [int(x[0] + x[1] * x[2] > 0) for x in X]


# --- steps that would vanish ------------------------------------------------------------------------------------------


def fall(engine: Any, X: Any, y: Any, **how: Any) -> float:
    """By how much the loss has fallen after three epochs; measured with floats, for both engines alike."""
    model = Model(len(X[0]), 20, 2, seed=1, engine=engine, scaling="none")
    measured = Model(len(X[0]), 20, 2, seed=1, engine="linalg", scaling="none")
    measured.fit(X, y, epochs=1, lr=1e-300, momentum=0.0, schedule=None)
    measured.weights = model.weights
    before = measured.evaluate(X, y)[0]
    model.fit(X, y, epochs=3, schedule=None, **{"momentum": 0.0, **how})
    measured.weights = model.weights
    return before - measured.evaluate(X, y)[0]


@pytest.fixture(scope="module")
def on_floats() -> dict[str, float]:
    """By how much the loss falls with floats, by what was asked for: each is found once, for all engines."""
    return {}


@pytest.mark.parametrize("how", [
    {"lr": 1e-5}, {"lr": 1e-6}, {"lr": 1e-7}, {"lr": 1e-7, "momentum": 0.9}, {"lr": 1e-6, "momentum": 0.9},
    {"lr": 0.1, "clip_norm": 1e-6}, {"lr": 1e-6, "optimizer": "adam"}, {"lr": 1e-7, "weight_decay": 1e-3},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("engine", ["lanes", Lanes(40)], ids=["lanes", "lanes-40"])
def test_small_steps_add_up(engine: Any, how: dict[str, Any], on_floats: dict[str, float]) -> None:
    X, y = table(400, 5, 2)
    how = {"momentum": None, **how} if "optimizer" in how else how
    if str(how) not in on_floats:
        on_floats[str(how)] = fall("linalg", X, y, **how)
    assert fall(engine, X, y, **how) == pytest.approx(on_floats[str(how)], rel=0.01)


@pytest.mark.parametrize("lr", [1e-6, 1e-7])
def test_small_steps_add_up_for_pixels(lr: float) -> None:
    rng = Random(5)
    X = [bytes(rng.choices([0, 0, 30, 200, 255], k=64)) for _ in range(200)]
    y = [int(sum(row[:32]) > sum(row[32:])) for row in X]
    falls = []
    for engine in ("lanes", "linalg"):
        model = Model(64, 20, 2, seed=1, engine=engine, scaling="pixels")
        measured = Model(64, 20, 2, seed=1, engine="linalg", scaling="pixels")
        measured.fit(X, y, epochs=1, lr=1e-300, momentum=0.0, schedule=None)
        measured.weights = model.weights
        before = measured.evaluate(X, y)[0]
        model.fit(X, y, epochs=2, lr=lr, momentum=0.0, schedule=None)
        measured.weights = model.weights
        falls.append(before - measured.evaluate(X, y)[0])
    assert falls[0] == pytest.approx(falls[1], rel=0.01)


# --- a wild cell among the rows that are learned from -----------------------------------------------------------------


@pytest.mark.parametrize("cell", [*(pytest.param(cell, marks=pytest.mark.slow) for cell in (1e3, 1e6)), -1e6, 1e9])
def test_a_wild_cell_spoils_no_training(cell: float) -> None:
    rng = Random(7)
    X, y = table(2000, 4, 7)
    X[rng.randrange(2000)][2] = cell
    losses = []
    for engine in ("lanes", "linalg"):
        model = Model(4, 12, 2, seed=3, engine=engine, activation="tanh", scaling="none")
        losses.append(model.fit(X, y, epochs=3, lr=0.1, momentum=0.0, schedule=None).loss)
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


# --- zeros and bounds -------------------------------------------------------------------------------------------------


def test_a_row_of_zeros_has_no_size_that_could_hide_what_is_added(ops: Lanes) -> None:
    zeros, _ = ops.relu(ops.from_rows([[-1e9, -1.0]]))
    ones = ops.relu(ops.from_rows([[1.0, 0.5]]))[0]
    for factor in (1.0, -1.0, 1e-3):
        assert ops.to_rows(ops.add_scaled(zeros, ones, factor)) == [pytest.approx([factor, 0.5 * factor], rel=2.0**-14)]
        assert ops.to_rows(ops.add_scaled(ones, zeros, factor)) == [[1.0, 0.5]]
    assert ops.to_rows(ops.add(zeros, ops.from_rows([[1.0, 0.0]]))) == [[1.0, 0.0]]
    assert ops.to_rows(ops.sum_rows(ops.gate(ops.from_rows([[1e9], [1.0]]), ops.relu(ops.from_rows([[-1.0], [1.0]]))[1])
                                    )) == [[1.0]]  # fmt: skip


def test_a_row_of_zeros_among_inputs_has_no_size_that_could_hide_the_others(ops: Lanes) -> None:
    rows, wanted = [[0.0, 0.0], [3e-9, -1e-9]], linalg.matmul_tn([[3e-9, -1e-9]], [[0.7]])
    for engine in (ops, ops.tuned_for(ops.prepare(rows), 2)):
        x, g, w = engine.take_rows(engine.prepare(rows), [0, 1]), [[1.0], [0.7]], [[1e-9], [1e-9]]
        gradient = engine.to_rows(engine.matmul_tn(x, engine.from_rows(g)))
        assert gradient == [pytest.approx(row, rel=2.0**-12, abs=0.0) for row in wanted]
        moved = engine.add_scaled(engine.from_rows(w), engine.matmul_tn(x, engine.from_rows(g)), -0.5)
        sums = linalg.add_scaled(w, wanted, -0.5)
        assert engine.to_rows(moved) == [pytest.approx(row, rel=2.0**-12, abs=0.0) for row in sums]


def test_a_row_of_whole_numbers_does_not_hide_the_rows_beside_it(ops: Lanes) -> None:
    rng = Random(2)
    rows = [[float(rng.random() < 0.5) for _ in range(16)], *([rng.random() for _ in range(16)] for _ in range(7))]
    engine = ops.tuned_for(ops.prepare(rows), len(rows))
    x, g = engine.take_rows(engine.prepare(rows), range(8)), [[rng.gauss(0.0, 1.0) for _ in range(4)] for _ in rows]
    found, wanted = engine.to_rows(engine.matmul_tn(x, engine.from_rows(g))), linalg.matmul_tn(rows, g)
    assert found == [pytest.approx(row, rel=0, abs=2.0**-12) for row in wanted]


def test_a_sum_of_rows_keeps_the_finer_unit_where_the_true_sizes_allow_it(ops: Lanes) -> None:
    # The bound of the first is that of its largest row; its second row is small.
    large, _ = ops.relu(ops.from_rows([[1e9, 0.0], [1e-3, 2e-3]]))
    small = ops.relu(ops.from_rows([[0.0, 0.0], [1e-6, 3e-6]]))[0]
    assert ops.to_rows(ops.add(large, small)) == [
        pytest.approx([1e9, 0.0], rel=1e-6),
        pytest.approx([1e-3 + 1e-6, 2e-3 + 3e-6], rel=1e-6),
    ]


def test_what_is_added_to_a_row_of_few_bits_is_not_rounded_to_its_unit(ops: Lanes) -> None:
    few = LaneMatrix(ops.width, (1, 2), samples=Samples([3 + (-1 << ops.width)], 0.5, [(1, 3)]))  # the row (3, -1)
    many = ops.relu(ops.from_rows([[0.3, 1e-3]]))[0]
    for a, b in ((few, many), (many, few)):
        assert ops.to_rows(ops.add(a, b)) == [pytest.approx([3.3, -0.999], rel=2.0**-14)]


@pytest.mark.parametrize("factor", [1.0, -0.1, 1e6])
def test_a_zero_gradient_changes_no_weight_and_no_velocity(ops: Lanes, factor: float) -> None:
    x = ops.prepare([[1.0, -2.0], [0.5, 3.0]])
    nothing = ops.gate(ops.from_rows([[1e12], [-1e12]]), ops.relu(ops.from_rows([[-1.0], [-1.0]]))[1])
    weight = ops.add_scaled(
        ops.from_rows([[1e-6], [0.0]]), ops.matmul_tn(x, ops.relu(ops.from_rows([[1e-7]] * 2))[0]), 1.0
    )
    before = ops.to_rows(weight)
    for gradient in (ops.matmul_tn(x, nothing), ops.matmul_tn(ops.from_rows([[1.0, 2.0], [3.0, 4.0]]), nothing)):
        assert ops.to_rows(ops.add_scaled(weight, gradient, factor)) == before
        kept = ops.to_rows(ops.add_scaled(gradient, weight, 0.5))
        assert [v for row in kept for v in row] == pytest.approx([0.5 * v for row in before for v in row], rel=1e-4)


def test_a_dead_layer_leaves_its_weights_alone() -> None:
    rng = Random(3)
    X = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(60)]
    y = [int(a > b) for a, b in X]
    model = Model(2, [6, 4], 2, seed=1)
    weights = model.weights
    weights[3] = [-1e4] * 4  # the second hidden layer gives zeros only
    model.weights = weights
    model.fit(X, y, epochs=3, lr=0.5, momentum=0.9)
    assert model.weights[:4] == weights[:4]


# --- from floats to lanes ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["relu", "tanh"])
def learned(request: pytest.FixtureRequest) -> tuple[Any, Any, Any, Any]:
    """An activation, rows and targets, and the weights that a model on floats learned from them."""
    rng = Random(3)
    Z = [[rng.gauss(0.0, 1.0) for _ in range(3)] for _ in range(400)]
    y = [z[0] + 2.0 * z[1] - z[2] + rng.gauss(0.0, 0.1) for z in Z]
    model = unscaled(request.param)
    model.fit(Z, y, epochs=30, lr=0.01, momentum=0.9)
    return request.param, Z, y, model.weights


def unscaled(activation: str) -> Model:
    return Model(3, 20, 1, task="regression", scaling="none", engine="linalg", seed=1, activation=activation)


@pytest.mark.parametrize("sizes", [(1.0, 1e3, 1e5), (1e-6, 1.0, 1e6), (1e6, 1e-6, 1e-6)])
def test_a_model_fitted_on_floats_without_scaling_predicts_the_same_on_lanes(sizes: Any, learned: Any) -> None:
    activation, Z, y, weights = learned
    X = [[v * size for v, size in zip(z, sizes)] for z in Z]
    model = unscaled(activation)
    model.fit(Z, y, epochs=1)  # it knows the targets now
    model.weights = [[[v / size for v in row] for row, size in zip(weights[0], sizes)], *weights[1:]]
    on_floats = model.score(X, y)
    assert on_floats > 0.98
    model.inference.engine = Lanes.for_rows(20)
    model.network.use(model.inference.engine)
    assert model.score(X, y) == pytest.approx(on_floats, abs=1e-4)


def test_differences_of_large_numbers_are_kept() -> None:
    # What comes out is a millionth of what goes through the hidden layer.
    rng = Random(4)
    X = [[1e6 * rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(300)]
    weights = [[[1.0, 1.0], [1.0, 0.0]], [0.0, 0.0], [[1.0], [-1.0]], [0.0]]
    models = []
    for engine in ("linalg", "lanes"):
        model = Model(
            2, 2, 1, task="regression", activation="leaky_relu", scaling="none", engine=engine, target_scaling="none"
        )
        model.fit(X, [0.0] * 300, epochs=1, lr=1e-300)
        model.weights = weights
        models.append(model.predict(X))
    spread = linalg.standard_deviation(models[0])
    assert max(abs(a - b) for a, b in zip(*models)) < 0.1 * spread


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_targets_with_a_mean_far_above_their_spread(engine: str) -> None:
    rng = Random(6)
    X = [[rng.gauss(0.0, 1.0) for _ in range(3)] for _ in range(300)]
    y = [1e6 + x[0] - 0.5 * x[1] * x[1] + 0.2 * x[2] for x in X]
    model = Model(3, 20, 1, task="regression", seed=2, engine=engine)
    model.fit(X, y, epochs=40, lr=0.05, momentum=0.9)
    assert model.score(X, y) > 0.95


# --- weights as whole numbers: no update is off by more than its rounding ---------------------------------------------


def exact(rows: list[list[float]]) -> tuple[list[list[int]], int]:
    """Floats as whole numbers of one unit, exactly, and how many of these units are 1."""
    ratios = [[value.as_integer_ratio() for value in row] for row in rows]
    units = max(denominator for row in ratios for _, denominator in row)  # all of them are powers of two
    return [[numerator * (units // denominator) for numerator, denominator in row] for row in ratios], units


@pytest.mark.parametrize("seed", range(12))
def test_every_update_of_a_run_is_within_its_rounding(ops: Lanes, seed: int) -> None:
    """Random runs of gradient steps on one weight, each step computed again from the engine's own operands in exact
    arithmetic: a weight moves by what it should, to a small part of the step, whatever its unit is or becomes."""
    rng = Random(seed)
    rows, columns, count = rng.choice([1, 5, 40]), rng.choice([1, 3, 17]), rng.choice([1, 4, 32])
    weight: LaneMatrix = ops.from_rows([[rng.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)])
    for _ in range(60):
        kind = rng.random()
        if kind < 0.6:
            data: list[Any] = [bytes(rng.choices([0, 0, 255, rng.randrange(256)], k=rows)) for _ in range(count)]
            x = ops.prepare(data, 1.0 / 255.0)
        else:
            x = ops.prepare([[rng.gauss(0.0, 1.0) for _ in range(rows)] for _ in range(count)])
        size = 10.0 ** rng.uniform(-6, 0)
        g = ops.from_rows([[rng.gauss(0.0, size) for _ in range(columns)] for _ in range(count)])
        lr = -(10.0 ** rng.uniform(-8, 0))
        before = ops.to_rows(weight)
        weight = ops.add_scaled(weight, ops.matmul_tn(x, g), lr)
        after, inputs, gradients = ops.to_rows(weight), x.to_rows(), ops.to_rows(g)
        bound = count * max(abs(v) for row in inputs for v in row) * max(abs(v) for row in gradients for v in row)
        ulp = max(abs(v) for row in before for v in row) * 2.0 ** (8 - min(ops.width, 50))
        (x_whole, x_units), (g_whole, g_units) = exact(inputs), exact(gradients)
        moved, w_units = exact([[a, b] for p, q in zip(after, before) for a, b in zip(p, q)])
        rate, rate_units = lr.as_integer_ratio()
        step_units = x_units * g_units * rate_units
        columns_of_x, columns_of_g = list(zip(*x_whole)), list(zip(*g_whole))
        for k in range(rows):
            for j in range(columns):
                step = sum(map(mul, columns_of_x[k], columns_of_g[j])) * rate
                now, then = moved[k * columns + j]
                error = abs((now - then) * step_units - step * w_units) / (w_units * step_units)
                assert error <= abs(lr) * bound * 2.0**-12 + ulp, (k, j, error, step / step_units)
        # What a product reads of the weight is the weight as it is now, rows that have changed and others.
        told = ops.to_rows(
            ops.matmul(ops.from_rows([[float(i == k) for i in range(rows)] for k in range(rows)]), weight)
        )
        largest = max(abs(v) for row in after for v in row)
        assert all(
            math.isclose(a, b, rel_tol=0, abs_tol=largest * 2.0**-12) for p, q in zip(told, after) for a, b in zip(p, q)
        )


@pytest.mark.parametrize("momentum", [0.3, 0.9, 0.999])
def test_every_velocity_of_a_run_is_within_its_rounding(ops: Lanes, momentum: float) -> None:
    """m·v + xᵀ·g for gradients whose sizes come and go, over more steps than a unit can shrink in one go."""
    rng = Random(int(1000 * momentum))
    for _ in range(4):
        inputs, columns, count = rng.choice([1, 5, 40]), rng.choice([1, 3, 17]), rng.choice([1, 4, 32])
        velocity: LaneMatrix = ops.from_rows([[0.0] * columns] * inputs)
        size = 1.0
        for _ in range(60):
            if rng.random() < 0.5:
                data: list[Any] = [bytes(rng.choices([0, 0, 255, rng.randrange(256)], k=inputs)) for _ in range(count)]
                x = ops.prepare(data, 1.0 / 255.0)
            else:
                x = ops.prepare([[rng.gauss(0.0, 1.0) for _ in range(inputs)] for _ in range(count)])
            size *= 10.0 ** rng.choice([0, 0, 0, 0, -4, 4])
            g = ops.from_rows([[rng.gauss(0.0, size) for _ in range(columns)] for _ in range(count)])
            before = ops.to_rows(velocity)
            velocity = ops.add_scaled(ops.matmul_tn(x, g), velocity, momentum)
            rows, gradients = x.to_rows(), ops.to_rows(g)
            bound = count * max(abs(v) for row in rows for v in row) * max(abs(v) for row in gradients for v in row)
            kept = momentum * max(abs(v) for row in before for v in row)  # its factor is rounded where units change
            product = linalg.matmul_tn(rows, gradients)
            for now, old, added in zip(ops.to_rows(velocity), before, product):
                wanted = [momentum * v + w for v, w in zip(old, added)]
                assert now == pytest.approx(wanted, rel=0.0, abs=bound * 2.0**-12 + kept * 2.0**-15)


def test_a_velocity_that_shrinks_to_nothing_leaves_the_gradient(ops: Lanes) -> None:
    velocity = LaneMatrix(ops.width, (2, 1), rows=Block([1 << 20, 3], 1e-255, 1 << 20))
    gradient = ops.matmul_tn(ops.prepare([[1.0, 0.5]]), ops.from_rows([[1e-3]]))
    told = ops.to_rows(ops.add_scaled(gradient, velocity, 1e-6))
    assert told == [[pytest.approx(1e-3, rel=2.0**-14)], [pytest.approx(5e-4, rel=2.0**-14)]]


@pytest.mark.parametrize("how", [
    {"momentum": 0.0}, {"momentum": 0.0, "weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "weight_decay": 0.1}, {"optimizer": "adam"}, {"optimizer": "rmsprop"},
], ids=str)  # fmt: skip
def test_looking_at_gradients_changes_no_training(how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = table(100, 8, 3)
    learn, weights = SGD.step, []
    for look in (False, True):
        model = Model(8, 12, 2, seed=1)
        if look:
            for rule in (SGD, Adaptive):
                monkeypatch.setattr(rule, "step", looking(rule.step))
        model.fit(X, y, epochs=3, **how)
        weights.append(model.weights)
    assert SGD.step is not learn
    assert weights[0] == weights[1]


def looking(step: Any) -> Any:
    """A step before which somebody looks at all gradients."""

    def look_and_step(rule: Any, parameters: Any) -> None:
        for parameter in parameters:
            rule.ops.to_rows(parameter.gradient)
        step(rule, parameters)

    return look_and_step
