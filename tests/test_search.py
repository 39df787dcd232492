"""``grid_search`` and ``random_search``: cross-validation over any argument, the same with any number of workers."""

from __future__ import annotations

import io
import math
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pickle import PicklingError
from random import Random
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    ArgumentError,
    Callback,
    CosineSchedule,
    CrossEntropyLoss,
    DataError,
    EarlyStopping,
    Linear,
    Model,
    ReLU,
    Sequential,
    StepSchedule,
    search,
)
from scratchnn.engines.lists import LISTS
from scratchnn.optim import Optimizer
from scratchnn.search import fold_indices, grid_search, log_uniform, random_search, uniform, whole


def clouds(count: int = 45) -> tuple[list[list[float]], list[str]]:
    """Points around three centres, and which each belongs to; twice as many of the first as of the others."""
    rng = Random(1)
    kinds = [("ash", 0.0, 0.0), ("ash", 0.0, 0.0), ("elm", 3.0, 0.0), ("oak", 0.0, 3.0)]
    chosen = [kinds[i % 4] for i in range(count)]
    return [[x + rng.gauss(0, 1), y + rng.gauss(0, 1)] for _, x, y in chosen], [name for name, _, _ in chosen]


X, Y = clouds()
LINE_X = [[i / 10.0] for i in range(30)]
LINE_Y = [3.0 * x + 4.0 for (x,) in LINE_X]
GRID = {"hidden_size": [2, 6], "lr": [0.02, 0.2]}
FIT = {"epochs": 4}


def found(result: search.SearchResult) -> list[tuple[dict[str, Any], list[float], str]]:
    """All of a result but the times."""
    return [(row.parameters, row.values, row.error) for row in result]


def deep(width: int = 4, depth: int = 1) -> Model:
    """A stack of its own; at the module's level, so that processes can be sent its name."""
    hidden = [layer for _ in range(depth - 1) for layer in (Linear(width, width), ReLU())]
    return Model.from_layers([Linear(2, width), ReLU(), *hidden, Linear(width, 3)], seed=5)


# --- what is searched --------------------------------------------------------------------------------------------


def test_a_grid_is_every_combination_and_the_best_comes_first() -> None:
    result = grid_search(X, Y, GRID, fit=FIT)
    combinations = [{"hidden_size": h, "lr": r} for h in (2, 6) for r in (0.02, 0.2)]
    assert sorted(map(str, (row.parameters for row in result))) == sorted(map(str, combinations))
    means = [row.mean for row in result]
    assert means == sorted(means, reverse=True)
    assert result.best is result.rows[0] and len(result) == 4


def test_values_are_those_of_models_fitted_without_the_fold() -> None:
    """Worked out again by hand, with the same folds."""
    row = grid_search(X, Y, {"hidden_size": [5]}, model={"activation": "tanh"}, fit=FIT, folds=3, seed=7).best
    expected = []
    for held_out in fold_indices(len(X), 3, Random("folds 7"), Y):
        training = [i for i in range(len(X)) if i not in held_out]
        model = Model(2, 5, 3, activation="tanh", seed=7)
        model.fit([X[i] for i in training], [Y[i] for i in training], epochs=4)
        expected.append(model.score([X[i] for i in held_out], [Y[i] for i in held_out]))
    assert row.values == expected
    assert row.mean == pytest.approx(sum(expected) / 3)
    assert row.deviation == pytest.approx(math.sqrt(sum((v - row.mean) ** 2 for v in expected) / 3))
    assert row.seconds > 0.0


def test_the_best_is_fitted_to_all_rows() -> None:
    result = grid_search(X, Y, GRID, fit=FIT, seed=3)
    best = result.best.parameters
    expected = Model(2, best["hidden_size"], 3, seed=3)
    expected.fit(X, Y, epochs=4, lr=best["lr"])
    assert result.model is not None
    assert result.model.weights == expected.weights
    assert result.model.classes == ["ash", "elm", "oak"]


def test_regression_is_searched_by_the_coefficient_of_determination() -> None:
    result = grid_search(
        LINE_X, LINE_Y, {"lr": [1e-4, 0.1]}, model={"hidden_size": [], "task": "regression"}, fit={"epochs": 30}
    )
    assert result.best.parameters == {"lr": 0.1}
    assert result.best.mean > 0.99
    assert result.model is not None and result.model.predict([[1.0]])[0] == pytest.approx(7.0, abs=0.1)


def test_the_least_loss_is_best_and_targets_may_be_rows() -> None:
    targets = [[y, -y] for y in LINE_Y]
    model = {"hidden_size": [], "task": "regression"}
    result = grid_search(LINE_X, targets, {"lr": [1e-4, 0.1]}, model=model, fit={"epochs": 30}, measure="loss")
    assert [row.parameters["lr"] for row in result] == [0.1, 1e-4]
    assert result.rows[0].mean < result.rows[1].mean
    assert result.model is not None and result.model.output_size == 2


def test_a_stack_of_ones_own_is_built_from_the_arguments_it_names() -> None:
    result = grid_search(X, Y, {"depth": [1, 2], "lr": [0.1]}, build=deep, model={"width": 6}, fit=FIT)
    assert {row.parameters["depth"] for row in result} == {1, 2}
    expected = deep(6, result.best.parameters["depth"])
    expected.fit(X, Y, epochs=4, lr=0.1)
    assert result.model is not None and result.model.weights == expected.weights


def test_a_builder_may_take_any_argument() -> None:
    def build(**arguments: int) -> Model:
        return deep(arguments["size"])

    assert grid_search(X, Y, {"size": [2, 3], "lr": [0.1]}, build=build, fit=FIT).best.parameters["lr"] == 0.1


def test_a_name_that_both_know_is_the_builders() -> None:
    heard = []

    def build(batch_size: int) -> Model:
        heard.append(batch_size)
        return deep()

    grid_search(X, Y, {"batch_size": [7]}, build=build, fit={"epochs": 1}, folds=2)
    assert set(heard) == {7}


def test_layers_among_the_arguments_are_new_for_each_fit() -> None:
    """One fold's weights must not be where the next fold starts: it would have seen the rows held out."""

    def stack(layers: list[Any]) -> Model:
        return Model.from_layers(layers, seed=5)

    def layers() -> list[Any]:
        inner = Sequential([Linear(4, 4), ReLU()])
        inner.use(LISTS)  # a module, which cannot be copied
        return [Linear(2, 4), inner, Linear(4, 3)]

    shared = layers()
    result = grid_search(X, Y, {"layers": [shared]}, build=stack, fit=FIT, folds=3)
    expected = []
    for held_out in fold_indices(len(X), 3, Random("folds 0"), Y):
        training = [i for i in range(len(X)) if i not in held_out]
        model = stack(layers())
        model.fit([X[i] for i in training], [Y[i] for i in training], epochs=4)
        expected.append(model.score([X[i] for i in held_out], [Y[i] for i in held_out]))
    assert result.best.values == expected


def test_fits_at_the_same_time_have_losses_of_their_own() -> None:
    loss, heard = CrossEntropyLoss(), []

    def build(loss: CrossEntropyLoss) -> Model:
        heard.append(loss)
        return Model.from_layers([Linear(2, 3)], loss=loss)

    grid_search(X, Y, {}, build=build, model={"loss": loss}, fit={"epochs": 1}, folds=3)
    assert len(set(map(id, [loss, *heard]))) == len(heard) + 1 > 4


def test_one_set_of_arguments_can_be_judged_alone() -> None:
    result = grid_search(X, Y, {}, fit=FIT)
    assert len(result) == 1 and result.best.parameters == {}
    assert "score" in str(result)


def test_weights_of_samples_are_parted_like_the_rows() -> None:
    """Rows of weight 0 do not count: only the two heavy classes are ever predicted."""
    weights = [0.0 if label == "oak" else 1.0 for label in Y]
    result = grid_search(X, Y, {"lr": [0.2]}, fit={"epochs": 20, "sample_weight": weights}, folds=3)
    assert result.model is not None
    assert "oak" not in result.model.predict(X)


class Labelled(list[Any]):
    """Like a pandas Series: ``[i]`` looks up a label, here one past the place, and ``==`` says neither yes nor no."""

    def __getitem__(self, label: Any) -> Any:
        if not 1 <= label <= len(self):
            raise KeyError(label)
        return super().__getitem__(label - 1)

    def tolist(self) -> list[Any]:
        return list(self)

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_weights_of_samples_may_be_of_any_kind_and_searched() -> None:
    weights = [float(1 + i % 3) for i in range(len(X))]
    plain = found(grid_search(X, Y, {"lr": [0.2]}, fit={**FIT, "sample_weight": weights}, folds=2))
    labelled = Labelled(weights)
    for given in (labelled, iter(weights)):
        assert found(grid_search(X, Y, {"lr": [0.2]}, fit={**FIT, "sample_weight": given}, folds=2)) == plain
    given = [iter(weights), None]
    result = grid_search(X, Y, {"sample_weight": given, "lr": [0.2, 0.1]}, fit=FIT, folds=2)
    values = {str(row.parameters): row.values for row in result}
    assert len(result) == 4 and not any(row.error for row in result)
    assert values[str({"sample_weight": weights, "lr": 0.2})] == plain[0][1]
    drawn = random_search(
        X, Y, {"sample_weight": [labelled, Labelled(weights[::-1]), None]}, tries=2, fit={"epochs": 1}, folds=2
    )
    assert len(drawn) == 2 and not any(row.error for row in drawn)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0, 3.0], "X and sample_weight must be of the same length, got 45 and 3"),
        (3, "sample_weight must be a sequence of numbers, got int 3"),
        (["a"] * 45, "sample_weight: row 0, column 0 must be a number, got str 'a'"),
    ],
)
def test_weights_of_samples_are_checked_before_any_fit(weights: Any, message: str) -> None:
    def build() -> Model:
        return Model(2, 3, 3)

    def count(*numbers: Any) -> None:
        raise AssertionError("a fit was made")

    for grid, fit in (({}, {"sample_weight": weights}), ({"sample_weight": [None, weights]}, {})):
        with pytest.raises(DataError, match=message):
            grid_search(X, Y, grid, build=build, fit=fit, progress=count)


def test_optimizers_schedules_and_callbacks_do_not_remember_other_fits() -> None:
    class Counter(Callback):
        epochs = 0

        def on_epoch_end(self, model: Any, run: Any) -> None:
            self.epochs += 1
            model.stop_training = self.epochs == 2  # would stop another fit at once, or never

    counter = Counter()
    fit = {"epochs": 4, "schedule": StepSchedule(1), "callbacks": [counter, EarlyStopping("loss", patience=3)]}
    one = grid_search(X, Y, {"lr": [0.2]}, fit=fit).best.values
    two = grid_search(X, Y, {"lr": [0.1, 0.2]}, fit=fit)
    assert one in [row.values for row in two if row.parameters["lr"] == 0.2]
    assert counter.epochs == 0


def test_rows_may_be_of_any_kind() -> None:
    np = pytest.importorskip("numpy")
    plain = found(grid_search(X, Y, GRID, fit=FIT))
    assert found(grid_search(np.array(X), np.array(Y), GRID, fit=FIT)) == plain
    grid = {"hidden_size": np.array([2, 6]), "lr": (0.02, 0.2)}
    assert found(grid_search(X, Y, grid, fit=FIT)) == plain
    line = grid_search(np.array(LINE_X), np.array(LINE_Y), {"lr": [0.01]}, model={"task": "regression"}, fit=FIT)
    assert found(line) == found(grid_search(LINE_X, LINE_Y, {"lr": [0.01]}, model={"task": "regression"}, fit=FIT))


# --- random search -----------------------------------------------------------------------------------------------


def test_random_candidates_come_from_the_space_and_from_the_seed() -> None:
    space = {
        "lr": log_uniform(0.01, 1.0),
        "dropout": uniform(0.0, 0.5),
        "hidden_size": whole(2, 4),
        "batch_size": [8, 16],
    }
    result = random_search(X, Y, space, tries=4, fit={"epochs": 1}, folds=2, seed=1)
    assert len(result) == 4
    for row in result:
        p = row.parameters
        assert 0.01 <= p["lr"] <= 1.0 and 0.0 <= p["dropout"] <= 0.5
        assert p["hidden_size"] in (2, 3, 4) and p["batch_size"] in (8, 16)
    again = random_search(X, Y, space, tries=4, fit={"epochs": 1}, folds=2, seed=1)
    other = random_search(X, Y, space, tries=4, fit={"epochs": 1}, folds=2, seed=2)
    assert found(again) == found(result) != found(other)


def test_no_candidate_is_tried_twice() -> None:
    def candidates(space: dict[str, Any], tries: int) -> list[dict[str, Any]]:
        return search._drawn(space, tries, Random(0))

    assert candidates({"a": [1, 2], "b": [3, 4]}, 4) == candidates({"a": [1, 2], "b": [3, 4]}, 99)
    assert len(candidates({"a": [1, 2], "b": [3, 4]}, 99)) == 4
    assert sorted(c["a"] for c in candidates({"a": whole(1, 3)}, 99)) == [1, 2, 3]
    for tries in (1, 3, 7):
        drawn = candidates({"a": [1, 2, 3], "b": whole(0, 2)}, tries)
        assert len(drawn) == tries and all(drawn.count(c) == 1 for c in drawn)


@pytest.mark.parametrize(
    ("draw", "low", "high", "middle"),
    [(uniform(-1.0, 3.0), -1.0, 3.0, 1.0), (log_uniform(1e-4, 1.0), 1e-4, 1.0, 1e-2), (whole(0, 9), 0, 9, 4.5)],
)
def test_draws_fill_their_range_evenly(draw: Callable[[Random], float], low: float, high: float, middle: float) -> None:
    rng = Random(0)
    values = [draw(rng) for _ in range(2000)]
    assert low <= min(values) and max(values) <= high
    assert 900 < sum(v < middle for v in values) < 1100


class Edge(Random):
    """A generator that gives the same number again and again."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def random(self) -> float:
        return self.share


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0 - 2.0**-53])
@pytest.mark.parametrize("space", [uniform, log_uniform])
def test_no_draw_is_outside_its_range(space: Callable[[float, float], Callable[[Random], float]], share: float) -> None:
    for n in range(1, 100):
        for low, high in ((n / 7.0, n / 7.0), (n / 7.0, n / 6.0), (1e-3 / n, 1e3 * n)):
            assert low <= space(low, high)(Edge(share)) <= high


def test_a_range_may_be_wider_than_the_largest_number() -> None:
    largest = 1.7e308
    assert [uniform(-largest, largest)(Edge(share)) for share in (0.0, 0.5, 1.0)] == [-largest, 0.0, largest]


def test_ranges_may_be_given_in_numpys_numbers() -> None:
    np = pytest.importorskip("numpy")
    for draw, plain in (
        (uniform(np.float32(1), 2), uniform(1, 2)),
        (log_uniform(np.float64(1), np.int64(9)), log_uniform(1, 9)),
        (whole(np.int64(1), np.int64(3)), whole(1, 3)),
    ):
        value = draw(Random(1))
        assert value == plain(Random(1)) and type(value) in (int, float)


# --- folds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "folds"), [(10, 2), (10, 3), (10, 10), (45, 5), (7, 4)])
def test_every_row_is_held_out_once(count: int, folds: int) -> None:
    parts = fold_indices(count, folds, Random(0))
    assert sorted(i for part in parts for i in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_classes_are_spread_evenly() -> None:
    labels = ["a"] * 23 + ["b"] * 7 + ["c"] * 2
    parts = fold_indices(len(labels), 5, Random(0), labels)
    assert sorted(map(len, parts)) == [6, 6, 6, 7, 7]
    for label, fewest, most in (("a", 4, 5), ("b", 1, 2), ("c", 0, 1)):
        counts = [sum(labels[i] == label for i in part) for part in parts]
        assert min(counts) == fewest and max(counts) == most


def test_folds_are_drawn() -> None:
    assert fold_indices(20, 4, Random(0)) == fold_indices(20, 4, Random(0))
    assert fold_indices(20, 4, Random(0)) != fold_indices(20, 4, Random(1))
    assert fold_indices(20, 4, Random(0))[0] != list(range(0, 20, 4))


# --- workers -----------------------------------------------------------------------------------------------------


class Backwards(Executor):
    """Runs jobs at once; a result comes out before the search asks for it, so they arrive in any order."""

    def __init__(self) -> None:
        self.jobs = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.jobs += 1
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **keywords))
        return future


def test_the_result_does_not_depend_on_who_does_the_work() -> None:
    expected = grid_search(X, Y, GRID, fit=FIT, seed=2)
    executor = Backwards()
    result = grid_search(X, Y, GRID, fit=FIT, seed=2, executor=executor)
    assert executor.jobs == 4 * 5
    assert found(result) == found(expected)
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as threads:
            result = grid_search(X, Y, GRID, fit=FIT, seed=2, executor=threads)
        assert found(result) == found(expected)
        assert result.model is not None and expected.model is not None
        assert result.model.weights == expected.model.weights


def test_processes_give_the_same_results() -> None:
    arguments: dict[str, Any] = {"build": deep, "fit": {"epochs": 1, "schedule": StepSchedule(1)}, "folds": 2}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        result = grid_search(X, Y, {"width": [2, 3]}, executor=processes, **arguments)
    assert found(result) == found(grid_search(X, Y, {"width": [2, 3]}, **arguments))


class Elsewhere(Executor):
    """Two processes of which the bytes that each job is sent are counted."""

    def __init__(self) -> None:
        self.processes = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        self.sizes: list[int] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.sizes.append(len(pickle.dumps(arguments)))
        return self.processes.submit(function, *arguments, **keywords)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.processes.shutdown()


def test_rows_weights_and_validation_data_are_not_sent_with_every_fit() -> None:
    rng = Random(3)
    X = [[rng.gauss(0.0, 1.0) for _ in range(40)] for _ in range(200)]
    y = [int(row[0] > 0.0) for row in X]
    weights = [1.0 + row[1] ** 2 for row in X]
    grid = {"sample_weight": [None, weights], "validation_data": [(X, y), None]}
    fit = {"epochs": 1}
    with Elsewhere() as executor:
        result = grid_search(X, y, grid, fit=fit, folds=3, executor=executor)
    alone = grid_search(X, y, grid, fit=fit, folds=3)
    assert found(result) == found(alone)
    assert result.model is not None and alone.model is not None
    assert result.model.weights == alone.model.weights
    large = [size for size in executor.sizes if size > 20_000]
    assert len(executor.sizes) >= 12 and 1 <= len(large) <= 6
    assert max(large) < 9 * 200 * 43 + 10_000  # the rows once, though they are the validation data, too
    assert max(set(executor.sizes) - set(large)) < 3_000


class Failing(Backwards):
    """Does so many jobs; all others end in an exception of ``kind``, raised by ``submit`` or in the future."""

    def __init__(self, jobs: int, kind: type[Exception], late: bool = True) -> None:
        super().__init__()
        self.left, self.kind, self.late = jobs, kind, late

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.left -= 1
        if self.left >= 0:
            return super().submit(function, *arguments, **keywords)
        if not self.late:
            raise self.kind("on purpose")
        future: Future[Any] = Future()
        future.set_exception(self.kind("on purpose"))
        return future


class ForeignFuture:
    """What other schedulers hand out: it has some of the methods, and cannot be waited for as ours are."""

    def result(self) -> None: ...

    def add_done_callback(self, function: Callable[[Any], Any]) -> None: ...


class Client:
    """A client of a cluster, as Dask has it: it takes jobs by a protocol of its own, and gives an executor if asked."""

    def submit(self, function: Callable[..., Any], *arguments: Any, key: Any = None, pure: bool = True) -> Any:
        return ForeignFuture()

    def get_executor(self) -> Executor:
        return Backwards()


def test_a_client_of_a_cluster_is_told_to_hand_over_its_executor() -> None:
    message = r"^executor must be a concurrent\.futures\.Executor, got Client: hand over its get_executor\(\)$"
    with pytest.raises(ArgumentError, match=message):
        grid_search(X, Y, GRID, fit=FIT, executor=Client())
    result = grid_search(X, Y, GRID, fit=FIT, executor=Client().get_executor())
    assert result.best.parameters == grid_search(X, Y, GRID, fit=FIT).best.parameters


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (type("Pool", (), {"submit": lambda self, *job: ForeignFuture()})(), "Pool gave ForeignFuture"),
        (ThreadPoolExecutor, "executor must be running, got the class: hand over ThreadPoolExecutor"),
        (3, "executor must be a concurrent.futures.Executor, got int"),
    ],
)
def test_what_is_no_executor_is_said_to_be_none(executor: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        grid_search(X, Y, GRID, fit=FIT, executor=executor)


@pytest.mark.parametrize(
    ("kind", "late"), [(BrokenExecutor, True), (BrokenExecutor, False), (RuntimeError, False)], ids=str
)
def test_an_executor_that_breaks_leaves_the_candidates_that_were_done(kind: type[Exception], late: bool) -> None:
    result = grid_search(X, Y, GRID, fit=FIT, folds=2, executor=Failing(5, kind, late))
    assert result.interrupted and result.model is None
    assert len(result) == 2
    whole_search = found(grid_search(X, Y, GRID, fit=FIT, folds=2))
    assert all(row in whole_search for row in found(result))
    reason = f"the executor failed with {kind.__name__}: on purpose"
    assert str(result).endswith(f"\ncandidates that were not finished are left out: {reason}")
    with pytest.raises(RuntimeError, match=f"no candidate was finished: {reason} .*a module's own function") as raised:
        grid_search(X, Y, GRID, fit=FIT, folds=2, executor=Failing(1, kind, late))
    assert type(raised.value) is RuntimeError


def test_an_executor_that_was_shut_down_is_said_to_be() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with pytest.raises(
        RuntimeError, match=r"no candidate was finished: .* after shutdown .*an executor must be running"
    ):
        grid_search(X, Y, GRID, fit=FIT, executor=threads)


def test_a_job_that_cannot_be_sent_costs_its_candidate_alone() -> None:
    result = grid_search(X, Y, GRID, fit=FIT, folds=2, executor=Failing(6, PicklingError))
    assert [bool(row.error) for row in result] == [False, False, False, True]
    assert result.rows[3].error.startswith("PicklingError: on purpose (") and result.model is not None
    with pytest.raises(ValueError, match=r"all 4 candidates failed.*PicklingError: .* a module's own function"):
        grid_search(X, Y, GRID, fit=FIT, folds=2, executor=Failing(0, PicklingError))


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_fit_that_fails_costs_its_candidate_alone() -> None:
    grid = {"lr": [1e200, 0.1], "nesterov": [True, False]}
    fit = {**FIT, "momentum": 0.0}
    result = grid_search(LINE_X, LINE_Y, grid, model={"hidden_size": [], "task": "regression"}, fit=fit)
    assert [bool(row.error) for row in result] == [False, True, True, True]
    assert result.best.parameters == {"lr": 0.1, "nesterov": False}
    assert result.model is not None
    errors = {str(row.parameters): row.error for row in result}
    assert "nesterov needs a momentum above 0" in errors["{'lr': 0.1, 'nesterov': True}"]
    assert all(row.values == [] and math.isnan(row.mean) for row in result.rows[1:])
    assert str(result).count("failed: lr=") == 3


def test_if_all_fail_the_first_reason_is_told() -> None:
    message = r"all 2 candidates failed, the first \(lr=-1\) with ArgumentError: lr must be a number above 0"
    with pytest.raises(ValueError, match=message):
        grid_search(X, Y, {"lr": [-1, -2]})


def test_a_measure_that_is_no_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "score", lambda *arguments: math.nan)
    with pytest.raises(ValueError, match="the score on held-out rows is nan"):
        grid_search(X, Y, {"lr": [0.1]}, fit=FIT)


def test_a_last_fit_that_fails_leaves_the_table() -> None:
    class Picky(Callback):
        def on_train_begin(self, model: Any, run: Any) -> None:
            if run.samples == len(X):
                raise OverflowError("too\n  many rows")

    result = grid_search(X, Y, {"lr": [0.1]}, fit={"epochs": 1, "callbacks": [Picky()]})
    assert result.model is None
    assert result.refit_error == "OverflowError: too many rows"
    assert str(result).endswith("the best could not be fitted to all rows: OverflowError: too many rows")


@pytest.mark.parametrize("executor", [None, Backwards()], ids=["alone", "workers"])
def test_an_interrupt_leaves_the_candidates_that_were_done(executor: Any) -> None:
    def interrupt(done: int, *rest: Any) -> None:
        if done == 19:  # of 20: whichever is missing, three of the four candidates have all their folds
            raise KeyboardInterrupt

    result = grid_search(X, Y, GRID, fit=FIT, folds=5, progress=interrupt, executor=executor)
    assert result.interrupted and result.model is None
    whole_search = found(grid_search(X, Y, GRID, fit=FIT, folds=5))
    assert len(result) == 3 and all(row in whole_search for row in found(result))
    assert str(result).endswith("\ncandidates that were not finished are left out: interrupted")


def test_an_interrupt_when_all_candidates_were_done_leaves_none_out() -> None:
    class Slow(Callback):
        def on_train_begin(self, model: Any, run: Any) -> None:
            if run.samples == len(X):
                raise KeyboardInterrupt

    def interrupt(done: int, total: int, *rest: Any) -> None:
        if done == total:
            raise KeyboardInterrupt

    result = grid_search(X, Y, GRID, fit={"epochs": 1, "callbacks": [Slow()]}, folds=2)
    assert result.interrupted and result.model is None and len(result) == 4
    assert str(result).endswith("\ninterrupted while the best was fitted to all rows")
    result = grid_search(X, Y, GRID, fit={"epochs": 1}, folds=2, progress=interrupt)
    assert result.interrupted and result.model is None and len(result) == 4
    assert str(result).endswith("\ninterrupted before the best was fitted to all rows")


def test_an_interrupt_before_anything_is_done_goes_on_to_the_caller() -> None:
    def interrupt(*numbers: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grid_search(X, Y, GRID, fit=FIT, progress=interrupt)


def test_what_has_not_begun_is_cancelled_when_the_search_ends_early() -> None:
    class Lazy(Backwards):
        """Does the first job and leaves the others."""

        def __init__(self) -> None:
            super().__init__()
            self.futures: list[Future[Any]] = []

        def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
            future = Future[Any]() if self.futures else super().submit(function, *arguments, **keywords)
            self.futures.append(future)
            return future

    def fail(*numbers: Any) -> None:
        raise RuntimeError("no more")

    lazy = Lazy()
    with pytest.raises(RuntimeError, match="no more"):
        grid_search(X, Y, GRID, fit=FIT, executor=lazy, progress=fail)
    assert len(lazy.futures) == 20 and all(future.cancelled() for future in lazy.futures[1:])


@pytest.mark.parametrize(
    ("grid", "arguments", "message"),
    [
        (
            {"learning_rate": [1]},
            {},
            "unknown argument 'learning_rate': known for Model are input_size, .*fit are epochs, lr",
        ),
        ({"lr": [1]}, {"model": {"epochs": 3}}, r"unknown argument 'epochs': known for Model are input_size[^?]*$"),
        ({"lr": [1]}, {"fit": {"dropout": 0.5}}, "unknown argument 'dropout': .*known for fit are epochs"),
        ({"lr": [1]}, {"fit": {"X": 0.5}}, "unknown argument 'X'"),
        ({"lr": [1]}, {"fit": {0: 0.5}}, "unknown argument 0: known for Model"),
        ({"hiden_size": [5]}, {}, r"'hiden_size': known for Model are .*; did you mean 'hidden_size'\?$"),
        (
            {"dropout": [0.5]},
            {"build": deep},
            "unknown argument 'dropout': known for deep are width, depth; known for fit",
        ),
        ({"lr": [1]}, {"fit": {"lr": 2}}, "'lr' is searched and must not be fixed as well"),
        ({"activation": "relu"}, {}, "activation needs a list of values to try, got 'relu'"),
        ({"lr": 0.1}, {}, "lr needs a list of values to try, got 0.1"),
        ({"lr": []}, {}, "lr has no values to try"),
        ({"activation": {"relu", "tanh"}}, {}, "activation needs a list of values to try, got a set"),
        ({"lr": frozenset([1])}, {}, "lr needs a list of values to try, got a set"),
        ([("lr", [1])], {}, "a dict of name: values is needed, got list"),
        ({"lr": [1]}, {"measure": "accuracy"}, "unknown measure 'accuracy': known are score, loss"),
        ({"lr": [1]}, {"folds": 1}, "folds must be from 2 to the number of rows, 45, got 1"),
        ({"lr": [1]}, {"folds": 46}, "folds must be from 2 to the number of rows, 45, got 46"),
        ({"lr": [1]}, {"folds": 2.5}, "folds must be a whole number"),
        ({"lr": [1]}, {"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"lr": [1]}, {"progress": "yes"}, "progress must be a function, True or None, got 'yes'"),
        ({"width": [0]}, {"build": deep}, "deep built no model: ArgumentError"),
        (
            {"a": [0]},
            {"build": lambda a: 3},
            "<lambda> built no model: ArgumentError: build must return a Model, got int",
        ),
        (
            {"a": [0]},
            {"build": dict},
            "(build must be a function that returns|built no model: .*build must return) a M",
        ),
    ],
)
def test_bad_arguments_are_named(grid: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_search(X, Y, grid, **arguments)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: random_search(X, Y, {"lr": [1]}, tries=0), "tries must be a whole number of at least 1, got 0"),
        (lambda: random_search(X, Y, [0.1]), "a dict of name: values is needed, got list"),  # type: ignore[arg-type]
        (lambda: random_search(X, Y, {"lr": 0.1}), "lr needs a list of values to try, got 0.1"),
        (lambda: uniform(2.0, 1.0), "high must be a number at least 2 .*, got 1.0"),
        (lambda: log_uniform(0.0, 1.0), "low must be a number above 0 .*, got 0.0"),
        (lambda: random_search(X, Y, {"lr": {0.1}}), "lr needs a list of values to try, got a set"),
        (lambda: whole(3, 2), "high must be a whole number of at least 3, got 2"),
        (lambda: whole(0.5, 2), "low must be a whole number, got 0.5"),  # type: ignore[arg-type]
    ],
)
def test_bad_spaces_are_named(function: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function()


def test_bad_data_are_refused_before_any_fit() -> None:
    with pytest.raises(DataError, match="X and y must be of the same length, got 45 rows and 44 labels"):
        grid_search(X, Y[:-1], GRID)
    with pytest.raises(DataError, match="class 'yew' has a single row"):
        grid_search(X, ["yew", *Y[1:]], GRID)
    with pytest.raises(DataError, match="y must be a sequence of numbers"):
        grid_search(LINE_X, None, GRID, model={"task": "regression"})
    with pytest.raises(
        ValueError, match="R² needs two rows in every fold: take fewer folds than 20, or measure='loss'"
    ):
        grid_search(LINE_X, LINE_Y, GRID, model={"task": "regression"}, folds=20)


# --- what is shown -----------------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_candidate() -> None:
    rows = [
        search.SearchRow({"lr": 0.1, "layers": [3, 4]}, [(0.5, 1.0, ""), (1.0, 2.0, "")]),
        search.SearchRow({"lr": 0.123456789, "layers": [5]}, [(1.0, 0.25, ""), (1.0, 0.25, "")]),
        search.SearchRow({"lr": 9.0, "layers": []}, [(0.5, 1.0, ""), (None, 3.0, "OverflowError: too much")]),
    ]
    assert str(search.SearchResult(rows, "score")).split("\n") == [
        "     lr  layers   score  deviation  seconds",
        "-------------------------------------------",
        "0.12346     [5]  1.0000     0.0000     0.25",
        "    0.1  [3, 4]  0.7500     0.2500     1.50",
        "      9      []  failed                2.00",
        "failed: lr=9, layers=[]: OverflowError: too much",
    ]


def test_long_values_are_cut_short_in_the_table() -> None:
    rows = [search.SearchRow({"sample_weight": [1.0] * 100}, [(0.5, 1.0, "")])]
    lines = str(search.SearchResult(rows, "score")).split("\n")
    assert lines[2].split("  ")[0] == "[1.0, 1.0, 1.0, 1.0, 1.0, 1..."
    assert str(search._text("a\n   b")) == "a b"


def test_optimizers_and_schedules_show_what_they_were_given() -> None:
    class Own(Optimizer):
        def __init__(self, lr: float, twist: int = 3, kept_elsewhere: int = 4) -> None:
            super().__init__(lr)
            self.twist = twist

    things = [Adam(0.003), SGD(0.5, momentum=0.9), SGD(), Own(2.0, 5, 6), StepSchedule(3), CosineSchedule(9, 0.01)]
    assert [search._text(thing) for thing in things] == [
        "Adam(lr=0.003)",
        "SGD(lr=0.5, momentum=0.9)",
        "SGD()",
        "Own(lr=2.0, twist=5)",
        "StepSchedule(step_size=3)",
        "CosineSchedule(epochs=9, mi...",
    ]
    assert repr(CosineSchedule(9, 0.01)) == "CosineSchedule(epochs=9, minimum=0.01)"


def test_of_equals_the_first_candidate_is_best() -> None:
    rows = [search.SearchRow({"lr": lr}, [(0.5, 1.0, "")]) for lr in (3, 1, 2)]
    for measure in search.MEASURES:
        assert [row.parameters["lr"] for row in search.SearchResult(rows, measure)] == [3, 1, 2]


def test_a_function_hears_of_every_fit() -> None:
    heard: list[tuple[int, int, dict[str, Any], float | None]] = []
    result = grid_search(X, Y, {"lr": [-1, 0.1]}, fit=FIT, folds=2, progress=lambda *fit: heard.append(fit))
    assert [(done, total, p["lr"]) for done, total, p, _ in heard] == [(1, 4, -1), (2, 4, -1), (3, 4, 0.1), (4, 4, 0.1)]
    assert [value for *_, value in heard] == [None, None, *result.best.values]


def test_progress_shows_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    grid_search(X, Y, {"lr": [-1, 0.1]}, fit=FIT, folds=2, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("fit 1/4  lr=-1: failed  ") and lines[0].endswith(" s left")
    assert lines[3].startswith("fit 4/4  lr=0.1: 0.") and lines[3].endswith("  0 s left")


def test_on_a_terminal_progress_is_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    grid_search(X, Y, {"lr": [0.1]}, fit=FIT, folds=2, progress=True)
    shown = terminal.getvalue()
    assert "fit 1/2 [" in shown and "\n" not in shown
    assert shown.endswith("\r") and not shown.split("\r")[-2].strip()


def test_without_progress_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    grid_search(X, Y, {"lr": [0.1]}, fit=FIT, folds=2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("draw", [uniform, log_uniform, whole])
def test_a_range_without_its_ends_is_refused(draw: Any) -> None:
    with pytest.raises(ValueError, match=rf"lr: {draw.__name__} needs a range, as in {draw.__name__}\(low, high\)"):
        random_search(X, Y, {"lr": draw})


def with_a_thing(hidden_size: int, thing: Any) -> Model:
    return Model(2, hidden_size, 3)


def test_what_cannot_be_copied_for_each_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"thing cannot be copied for each fit .*: make it inside build"):
        grid_search(X, Y, {"hidden_size": [2]}, build=with_a_thing, model={"thing": math})
