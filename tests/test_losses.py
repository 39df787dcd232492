"""Losses: their values against NumPy (and PyTorch, where it is installed), their gradients against numerical slopes."""

from __future__ import annotations

import math
from functools import partial
from random import Random
from types import ModuleType
from typing import Any

import pytest

from scratchnn import Linear, Model, linalg, losses
from scratchnn.engines.finding import find_engine
from scratchnn.gradcheck import check_loss
from scratchnn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    Loss,
    MSELoss,
    NLLLoss,
)
from tests.rows import Rows, random_rows


def probability_rows(samples: int, width: int, seed: int) -> Rows:
    """Numbers well inside (0, 1), each for itself."""
    rng = Random(seed)
    return [[rng.uniform(0.05, 0.95) for _ in range(width)] for _ in range(samples)]


def distributions(samples: int, width: int, seed: int) -> Rows:
    return [linalg.softmax(row) for row in random_rows(samples, width, seed)]


def one_hot(classes: list[int], width: int) -> Rows:
    return [[1.0 if k == c else 0.0 for k in range(width)] for c in classes]


LOGITS, VALUES = random_rows(5, 3, 1), random_rows(5, 3, 2)
PROBABILITIES, SOFT = probability_rows(5, 3, 3), distributions(5, 3, 4)
LOG_PROBABILITIES = [linalg.log_softmax(row) for row in LOGITS]
CLASSES = [2, 0, 1, 1, 0]
ONE_HOT = one_hot(CLASSES, 3)
WEIGHTS = [0.5, 2.0, 0.0, 1.0, 3.0]

# name: (loss, outputs, targets)
CASES: dict[str, tuple[Loss, Rows, Any]] = {
    "MSE": (MSELoss(), VALUES, random_rows(5, 3, 5)),
    "MSE, one row": (MSELoss(), VALUES[:1], random_rows(1, 3, 5)),
    "MSE on bare numbers": (MSELoss(), [[1.5], [-2.0], [0.1]], [1.0, -3, 0.1]),
    "BCE": (BCELoss(), PROBABILITIES, SOFT),
    "BCE on one-hot rows": (BCELoss(), PROBABILITIES, ONE_HOT),
    "BCE on bare numbers": (BCELoss(), [[0.2], [0.9], [0.4]], [0, 1, 0]),
    "BCE with logits": (BCEWithLogitsLoss(), LOGITS, SOFT),
    "BCE with logits on one-hot rows": (BCEWithLogitsLoss(), LOGITS, ONE_HOT),
    "BCE with logits on bare numbers": (BCEWithLogitsLoss(), [[0.2], [-3.0], [4.0]], [0, 1, 1]),
    "cross-entropy": (CrossEntropyLoss(), LOGITS, CLASSES),
    "cross-entropy on one-hot rows": (CrossEntropyLoss(), LOGITS, ONE_HOT),
    "cross-entropy on soft rows": (CrossEntropyLoss(), LOGITS, SOFT),
    "cross-entropy on rows of any sum": (CrossEntropyLoss(), LOGITS, PROBABILITIES),
    "cross-entropy, one row": (CrossEntropyLoss(), LOGITS[:1], CLASSES[:1]),
    "NLL": (NLLLoss(), LOG_PROBABILITIES, CLASSES),
    "NLL on one-hot rows": (NLLLoss(), LOG_PROBABILITIES, ONE_HOT),
    "NLL on soft rows": (NLLLoss(), LOG_PROBABILITIES, SOFT),
    "L1": (L1Loss(), VALUES, random_rows(5, 3, 5)),
    "L1 on bare numbers": (L1Loss(), [[1.5], [-2.0], [0.1]], [1.0, -3, 0.2]),
    "Huber": (HuberLoss(), [[3.0 * v for v in row] for row in VALUES], random_rows(5, 3, 5)),
    "Huber, small delta": (HuberLoss(delta=0.1), VALUES, random_rows(5, 3, 5)),
    "Huber, large delta": (HuberLoss(delta=50.0), VALUES, random_rows(5, 3, 5)),
    "Huber on bare numbers": (HuberLoss(delta=0.7), [[1.5], [-2.0], [0.1]], [1.0, -3, 0.2]),
    "label smoothing": (CrossEntropyLoss(label_smoothing=0.1), LOGITS, CLASSES),
    "label smoothing on soft rows": (CrossEntropyLoss(label_smoothing=0.3), LOGITS, SOFT),
    "label smoothing on rows of any sum": (CrossEntropyLoss(label_smoothing=0.3), LOGITS, PROBABILITIES),
    "KL divergence": (KLDivLoss(), LOG_PROBABILITIES, SOFT),
    "KL divergence on one-hot rows": (KLDivLoss(), LOG_PROBABILITIES, ONE_HOT),
    "KL divergence on class numbers": (KLDivLoss(), LOG_PROBABILITIES, CLASSES),
    "KL divergence on rows of any sum": (KLDivLoss(), LOG_PROBABILITIES, PROBABILITIES),
}


# --- gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_backward_is_the_derivative_of_forward(name: str, weighted: bool) -> None:
    loss, outputs, targets = CASES[name]
    weights = WEIGHTS[: len(outputs)] if weighted else None
    report = check_loss(loss, outputs, targets, weights=weights, tolerance=1e-6)
    assert report.ok, str(report)
    assert report.entries == len(outputs) * len(outputs[0])


def test_every_loss_is_checked() -> None:
    public = {
        value
        for name, value in vars(losses).items()
        if isinstance(value, type)
        and issubclass(value, Loss)
        and value not in (Loss, losses.FormulaLoss)
        and not name.startswith("_")
    }
    public.remove(losses.StandardisedMSELoss)  # MSELoss as a model with standardised targets computes it
    assert {type(loss) for loss, _, _ in CASES.values()} == public == set(losses.LOSSES.values())


# --- values, against NumPy ---------------------------------------------------------------------------------------


def test_mse_is_the_mean_over_all_entries(np: ModuleType) -> None:
    outputs, targets = VALUES, random_rows(5, 3, 5)
    assert MSELoss().forward(outputs, targets) == pytest.approx(
        np.mean((np.array(outputs) - np.array(targets)) ** 2), rel=1e-13
    )
    assert MSELoss().forward([[1.0], [4.0]], [3.0, 4]) == 2.0


def test_bce_is_the_mean_over_all_entries(np: ModuleType) -> None:
    p, t = np.array(PROBABILITIES), np.array(SOFT)
    expected = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    assert BCELoss().forward(PROBABILITIES, SOFT) == pytest.approx(expected, rel=1e-13)


def test_bce_with_logits_is_bce_of_the_sigmoid(np: ModuleType) -> None:
    p, t = 1 / (1 + np.exp(-np.array(LOGITS))), np.array(SOFT)
    expected = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    assert BCEWithLogitsLoss().forward(LOGITS, SOFT) == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_is_the_mean_over_samples(np: ModuleType) -> None:
    x = np.array(LOGITS)
    logs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    assert CrossEntropyLoss().forward(LOGITS, CLASSES) == pytest.approx(-logs[range(5), CLASSES].mean(), rel=1e-13)
    assert CrossEntropyLoss().forward(LOGITS, SOFT) == pytest.approx(-(logs * SOFT).sum(axis=1).mean(), rel=1e-13)


def test_nll_picks_the_log_probability_of_the_class(np: ModuleType) -> None:
    logs = np.array(LOG_PROBABILITIES)
    assert NLLLoss().forward(LOG_PROBABILITIES, CLASSES) == pytest.approx(-logs[range(5), CLASSES].mean(), rel=1e-13)
    assert NLLLoss().forward(LOG_PROBABILITIES, SOFT) == pytest.approx(-(logs * SOFT).sum(axis=1).mean(), rel=1e-13)


def test_l1_is_the_mean_over_all_entries(np: ModuleType) -> None:
    expected = np.abs(np.array(VALUES) - np.array(SOFT)).mean()
    assert L1Loss().forward(VALUES, SOFT) == pytest.approx(expected, rel=1e-13)


def test_the_slope_of_l1_is_0_where_nothing_is_wrong() -> None:
    loss = L1Loss()
    assert loss.forward([[1.0, 2.0, 3.0, 4.0]], [[1.0, 5.0, 2.5, 4.0]]) == 0.875
    assert loss.backward() == [[0.0, -0.25, 0.25, 0.0]]


def test_huber_is_a_parabola_with_straight_arms(np: ModuleType) -> None:
    for delta in (0.2, 1.0, 3.0):
        e = 2.0 * np.array(VALUES) - np.array(SOFT)
        cases = np.where(np.abs(e) <= delta, e * e / 2, delta * (np.abs(e) - delta / 2))
        found = HuberLoss(delta).forward([[2.0 * v for v in row] for row in VALUES], SOFT)
        assert found == pytest.approx(cases.mean(), rel=1e-13)


def test_label_smoothing_is_cross_entropy_on_smoothed_rows() -> None:
    smooth = [[0.9 * t + 0.1 / 3.0 for t in row] for row in ONE_HOT]
    plain, smoothing = CrossEntropyLoss(), CrossEntropyLoss(label_smoothing=0.1)
    for weights in (None, WEIGHTS):
        assert smoothing.forward(LOGITS, CLASSES, weights) == pytest.approx(
            plain.forward(LOGITS, smooth, weights), rel=1e-14
        )
        for row, other in zip(smoothing.backward(), plain.backward()):
            assert row == pytest.approx(other, rel=1e-13)


def test_kl_divergence_is_cross_entropy_less_the_entropy_of_the_targets(np: ModuleType) -> None:
    t, o = np.array(SOFT), np.array(LOG_PROBABILITIES)
    expected = (t * (np.log(t) - o)).sum() / 5
    assert KLDivLoss().forward(LOG_PROBABILITIES, SOFT) == pytest.approx(expected, rel=1e-13)
    assert KLDivLoss().forward([[math.log(v) for v in row] for row in SOFT], SOFT) == pytest.approx(0.0, abs=1e-15)
    nll = NLLLoss()
    assert KLDivLoss().forward(LOG_PROBABILITIES, CLASSES) == pytest.approx(nll.forward(LOG_PROBABILITIES, CLASSES))


@pytest.mark.parametrize(("loss", "outputs"), [(CrossEntropyLoss(), LOGITS), (NLLLoss(), LOG_PROBABILITIES)])
def test_class_numbers_and_one_hot_rows_mean_the_same(loss: Loss, outputs: Rows) -> None:
    by_number, gradient = loss.forward(outputs, CLASSES), loss.backward()
    assert loss.forward(outputs, ONE_HOT) == pytest.approx(by_number, rel=1e-15)
    for ours, other in zip(loss.backward(), gradient):
        assert ours == pytest.approx(other, rel=1e-14)


def test_the_gradient_of_cross_entropy_is_softmax_minus_target() -> None:
    loss = CrossEntropyLoss()
    loss.forward(LOGITS, CLASSES)
    for row, logits, wanted in zip(loss.backward(), LOGITS, ONE_HOT):
        assert row == pytest.approx([(p - t) / 5 for p, t in zip(linalg.softmax(logits), wanted)], rel=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_weights_multiply_each_samples_share(name: str) -> None:
    loss, outputs, targets = CASES[name]
    weights, count = WEIGHTS[: len(outputs)], len(outputs)
    alone = [loss.forward([output], [target]) for output, target in zip(outputs, targets)]
    weighted = sum(w * one for w, one in zip(weights, alone)) / count
    assert loss.forward(outputs, targets) == pytest.approx(sum(alone) / count, rel=1e-13)
    assert loss.forward(outputs, targets, weights) == pytest.approx(weighted, rel=1e-13)


def on_an_engine(loss: Loss, name: str, outputs: Rows, targets: Any) -> tuple[float, Rows]:
    """What training asks of a loss: (its value, its gradient as rows)."""
    ops: Any = find_engine(name, 8)
    prepared = loss.prepare(ops, targets, len(outputs[0]))
    value, gradient = loss.measure(ops, ops.from_rows(outputs), prepared, range(len(outputs)), None)
    return value, ops.to_rows(gradient)


@pytest.mark.parametrize("engine", ["linalg", "numpy", "torch"])
def test_values_and_gradients_against_pytorch(engine: str) -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    far = [[4.0 * v for v in row] for row in VALUES]
    table = [
        (MSELoss(), functional.mse_loss, VALUES, SOFT, torch.double),
        (BCELoss(), functional.binary_cross_entropy, PROBABILITIES, SOFT, torch.double),
        (BCEWithLogitsLoss(), functional.binary_cross_entropy_with_logits, LOGITS, SOFT, torch.double),
        (CrossEntropyLoss(), functional.cross_entropy, LOGITS, CLASSES, torch.long),
        (CrossEntropyLoss(), functional.cross_entropy, LOGITS, SOFT, torch.double),
        (NLLLoss(), functional.nll_loss, LOG_PROBABILITIES, CLASSES, torch.long),
        (L1Loss(), functional.l1_loss, VALUES, SOFT, torch.double),
        (L1Loss(), functional.l1_loss, SOFT, [*SOFT[:2], *VALUES[2:]], torch.double),
        *(
            (HuberLoss(delta), partial(functional.huber_loss, delta=delta), far, SOFT, torch.double)
            for delta in (1.0, 0.25, 9.0)
        ),
        *(
            (CrossEntropyLoss(smooth), partial(functional.cross_entropy, label_smoothing=smooth), LOGITS, targets, kind)
            for smooth in (0.1, 0.5)
            for targets, kind in ((CLASSES, torch.long), (SOFT, torch.double), (PROBABILITIES, torch.double))
        ),
        *(
            (KLDivLoss(), partial(functional.kl_div, reduction="batchmean"), LOG_PROBABILITIES, targets, torch.double)
            for targets in (SOFT, ONE_HOT, PROBABILITIES)
        ),
    ]
    for ours, theirs, outputs, targets, kind in table:
        tensor = torch.tensor(outputs, dtype=torch.double, requires_grad=True)
        expected = theirs(tensor, torch.tensor(targets, dtype=kind))
        expected.backward()
        assert ours.forward(outputs, targets) == pytest.approx(expected.item(), rel=1e-12), ours
        for row, other in zip(ours.backward(), tensor.grad.tolist()):
            assert row == pytest.approx(other, rel=1e-12, abs=1e-15), ours
        value, gradient = on_an_engine(ours, engine, outputs, targets)
        assert value == pytest.approx(expected.item(), rel=1e-12), ours
        for row, other in zip(gradient, tensor.grad.tolist()):
            assert row == pytest.approx(other, rel=1e-12, abs=1e-15), ours


# --- the far ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [CrossEntropyLoss(), BCEWithLogitsLoss()])
@pytest.mark.parametrize("targets", [[[1.0, 0.0]], [[0.0, 1.0]]])
def test_the_largest_logits_give_finite_numbers(loss: Loss, targets: Rows) -> None:
    assert math.isfinite(loss.forward([[1e308, -1e308]], targets))
    assert all(-1.0 <= v <= 1.0 for v in loss.backward()[0])


def test_a_sure_answer_costs_next_to_nothing_and_a_sure_mistake_its_margin() -> None:
    loss = CrossEntropyLoss()
    assert loss.forward([[40.0, 0.0]], [0]) == pytest.approx(math.exp(-40.0), rel=1e-12)
    assert loss.forward([[1000.0, 0.0]], [1]) == 1000.0
    assert loss.backward() == [[1.0, -1.0]]
    assert BCEWithLogitsLoss().forward([[-40.0]], [0]) == pytest.approx(math.exp(-40.0), rel=1e-12)
    assert BCEWithLogitsLoss().forward([[-1000.0]], [1]) == 1000.0


def test_probabilities_of_exactly_0_and_1_cost_much_and_not_infinitely_much() -> None:
    loss = BCELoss()
    assert loss.forward([[0.0], [1.0]], [1, 0]) == pytest.approx(-math.log(BCELoss.EDGE), rel=1e-4)
    assert all(math.isfinite(v) for row in loss.backward() for v in row)
    assert loss.forward([[0.0], [1.0]], [0, 1]) == pytest.approx(0.0, abs=2e-12)


def test_the_largest_errors_give_finite_slopes() -> None:
    for loss in (L1Loss(), HuberLoss(2.0)):
        assert loss.forward([[1e300], [-1e300]], [0.0, 0.0]) == pytest.approx(1e300 * getattr(loss, "delta", 1.0))
        assert [abs(v) for row in loss.backward() for v in row] == [0.5 * getattr(loss, "delta", 1.0)] * 2
        assert math.isnan(loss.forward([[math.nan]], [0.0]))
        assert loss.forward([[math.inf]], [0.0]) == math.inf


def test_a_probability_of_zero_costs_nothing_in_a_divergence() -> None:
    loss = KLDivLoss()
    assert loss.forward([[0.0, -math.inf]], [[1.0, 0.0]]) == 0.0
    assert loss.forward([[math.log(0.5), math.log(0.5)]], [[1.0, 0.0]], [2.0]) == pytest.approx(2.0 * math.log(2.0))
    assert loss.backward() == [[-2.0, 0.0]]
    assert loss.forward([[-math.inf, 0.0]], [[1.0, 0.0]], [0.0]) == 0.0


def test_a_class_of_probability_zero_that_nobody_wants_costs_nothing() -> None:
    assert NLLLoss().forward([[0.0, -math.inf]], [0]) == 0.0
    assert NLLLoss().forward([[0.0, -math.inf]], [[1.0, 0.0]]) == 0.0


# --- classes -----------------------------------------------------------------------------------------------------


def test_what_a_loss_makes_of_outputs_as_class_probabilities() -> None:
    assert CrossEntropyLoss().probabilities([[0.0, 0.0]]) == [[0.5, 0.5]]
    assert NLLLoss().probabilities([[math.log(0.25), math.log(0.75)]]) == [pytest.approx([0.25, 0.75])]
    assert BCEWithLogitsLoss().probabilities([[0.0]]) == [[0.5, 0.5]]
    assert BCELoss().probabilities([[0.25]]) == [[0.75, 0.25]]
    assert MSELoss().probabilities([[0.25]]) is None
    assert KLDivLoss().probabilities([[math.log(0.25), math.log(0.75)]]) == [pytest.approx([0.25, 0.75])]


def test_tasks_and_representations() -> None:
    assert {name: loss.task for name, loss in losses.LOSSES.items() if name in ("mse", "cross_entropy", "nll")} == {
        "mse": "regression",
        "cross_entropy": "classification",
        "nll": "classification",
    }
    assert {losses.LOSSES[name].task for name in ("l1", "huber", "kl_div")} == {"regression"}
    assert repr(MSELoss()) == "MSELoss()"
    assert repr(CrossEntropyLoss()) == "CrossEntropyLoss()"
    assert repr(CrossEntropyLoss(0.1)) == "CrossEntropyLoss(label_smoothing=0.1)"
    assert repr(HuberLoss(2)) == "HuberLoss(delta=2.0)"


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_loss_is_made_again_from_what_it_says_of_itself(name: str) -> None:
    given = dict.fromkeys(losses.ARGUMENTS.get(name, ()), 0.375)
    one: Any = losses.LOSSES[name]
    loss = one(**given)
    assert loss.config() == given
    assert repr(losses.loss_from_plain(name, loss.config())) == repr(loss)
    assert losses.loss_from_plain(name, one().config()).config() == one().config()


# --- misuse ------------------------------------------------------------------------------------------------------

ALL = [MSELoss(), BCELoss(), BCEWithLogitsLoss(), CrossEntropyLoss(), NLLLoss(), L1Loss(), HuberLoss(), KLDivLoss()]


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_batches_that_do_not_fit(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"at least one row of outputs"):
        loss.forward([], [])
    with pytest.raises(ValueError, match=r"got 2 rows and 1 targets"):
        loss.forward([[0.5], [0.5]], [0])
    with pytest.raises(ValueError, match=r"got 1 rows and 2 weights"):
        loss.forward([[0.5]], [0], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"target 1 has 3 numbers, its row of outputs has 2"):
        loss.forward([[0.5, 0.5], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0, 0.0]])


@pytest.mark.parametrize("loss", [MSELoss(), L1Loss(), HuberLoss(), BCELoss(), BCEWithLogitsLoss()], ids=repr)
def test_a_bare_number_is_no_target_for_a_wide_row(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"target 0 has 1 numbers, its row of outputs has 2"):
        loss.forward([[0.5, 0.5]], [1])


@pytest.mark.parametrize("loss", [CrossEntropyLoss(), CrossEntropyLoss(0.1), NLLLoss(), KLDivLoss()], ids=repr)
@pytest.mark.parametrize("target", [-1, 3, 1.0])
def test_class_numbers_out_of_range(loss: Loss, target: Any) -> None:
    with pytest.raises(ValueError, match=r"target 1 should be a class number from 0 to 2 or a row, got"):
        loss.forward([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], [0, target])


@pytest.mark.parametrize("loss", [BCELoss(), BCEWithLogitsLoss()], ids=repr)
@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_binary_targets_out_of_range(loss: Loss, target: float) -> None:
    with pytest.raises(ValueError, match=r"targets from 0 to 1, got .* for sample 1"):
        loss.forward([[0.5], [0.5]], [0, target])


@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_a_divergence_from_what_is_no_probability(target: float) -> None:
    with pytest.raises(ValueError, match=r"^KLDivLoss needs targets from 0 to 1, got .* for sample 1$"):
        KLDivLoss().forward([[-0.5, -1.0], [-0.5, -1.0]], [[0.5, 0.5], [0.5, target]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HuberLoss(0.0), r"delta must be a number above 0 and finite, got 0.0"),
        (lambda: HuberLoss(math.inf), r"delta must be .*, got inf"),
        (lambda: HuberLoss("1"), r"delta must be .*, got '1'"),
        (lambda: CrossEntropyLoss(-0.1), r"label_smoothing must be a number at least 0 and below 1, got -0.1"),
        (lambda: CrossEntropyLoss(label_smoothing=1.0), r"label_smoothing must be .*, got 1.0"),
        (lambda: CrossEntropyLoss(math.nan), r"label_smoothing must be .*, got nan"),
        (lambda: CrossEntropyLoss(True), r"label_smoothing must be .*, got True"),
    ],
)
def test_wrong_arguments_say_which_and_what_came(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize("output", [-0.1, 1.1, math.nan])
def test_bce_on_something_that_is_no_probability_says_what_to_do(output: float) -> None:
    with pytest.raises(ValueError, match=r"outputs from 0 to 1, got .* for sample 1: end the network with Sigmoid"):
        BCELoss().forward([[0.5], [output]], [0, 1])


# --- losses of one's own -----------------------------------------------------------------------------------------


class Tenfold(MSELoss):
    """A loss on rows that is derived from one of scratchnn's."""

    def forward(self, outputs: Any, targets: Any, weights: Any = None) -> float:
        return 10.0 * super().forward(outputs, targets, weights)

    def backward(self) -> Any:
        return [[10.0 * v for v in row] for row in super().backward()]


@pytest.mark.parametrize("engine", ["linalg", "lanes", "numpy"])
def test_a_loss_that_is_derived_from_another_is_the_one_that_is_learned(engine: str) -> None:
    if engine == "numpy":
        pytest.importorskip("numpy")
    X, y = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]
    plain = {"scaling": "none", "target_scaling": "none", "engine": engine}
    how = {"epochs": 1, "batch_size": None, "momentum": 0.0, "schedule": None, "clip_norm": None}
    tenfold, single = (Model.from_layers([Linear(1, 1)], loss=loss, **plain) for loss in (Tenfold(), MSELoss()))
    history = tenfold.fit(X, y, lr=0.001, **how)
    assert history.loss[0] == pytest.approx(10.0 * single.fit(X, y, lr=0.01, **how).loss[0], rel=1e-4)
    assert tenfold.weights[0][0] == pytest.approx(single.weights[0][0], rel=1e-4)


def test_one_row_of_many_classes_costs_no_table_of_all_of_them() -> None:
    import tracemalloc

    tracemalloc.start()
    CrossEntropyLoss().forward([[0.0] * 3000], [3])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_a_loss_of_ones_own_says_what_it_lacks() -> None:
    class Half(Loss):
        def forward(self, outputs: Any, targets: Any, weights: Any = None) -> float:
            return 1.0

    with pytest.raises(NotImplementedError, match=r"Half needs a method backward\(\)"):
        Half().backward()
