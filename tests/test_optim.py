"""Update rules step by step against their recurrences, written out here on plain floats as PyTorch documents them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scratchnn import linalg
from scratchnn.layers import Parameter
from scratchnn.optim import (
    OPTIMIZERS,
    SGD,
    Adam,
    CosineSchedule,
    Optimizer,
    ReduceOnPlateau,
    Schedule,
    StepSchedule,
    clip_gradient_norm,
)
from tests.rows import Rows, random_rows

STEPS = 7


def two_parameters() -> list[Parameter]:
    return [Parameter("weight", random_rows(3, 2)), Parameter("bias", random_rows(1, 2, seed=1))]


def gradients_of(step: int) -> list[Rows]:
    return [random_rows(3, 2, seed=100 + step), random_rows(1, 2, seed=200 + step)]


def values(parameters: list[Parameter]) -> list[float]:
    return [v for p in parameters for v in linalg.flatten(p.value)]


def trajectory(optimizer: Optimizer) -> list[list[float]]:
    """All parameters after each step."""
    parameters, path = two_parameters(), []
    for step in range(STEPS):
        for parameter, gradient in zip(parameters, gradients_of(step)):
            parameter.gradient = gradient
        optimizer.step(parameters)
        path.append(values(parameters))
    return path


def flat_gradients(step: int) -> list[float]:
    return [v for gradient in gradients_of(step) for v in linalg.flatten(gradient)]


# --- the recurrences ---------------------------------------------------------------------------------------------


def sgd_by_hand(lr: float, momentum: float, weight_decay: float, nesterov: bool) -> list[list[float]]:
    w, velocity, path = values(two_parameters()), [0.0] * 8, []
    for step in range(STEPS):
        for i, g in enumerate(flat_gradients(step)):
            g = g + weight_decay * w[i]
            velocity[i] = momentum * velocity[i] + g  # from 0, so that the first velocity is the first gradient
            w[i] -= lr * (g + momentum * velocity[i] if nesterov else velocity[i])
        path.append(list(w))
    return path


def adam_by_hand(lr: float, b1: float, b2: float, epsilon: float, weight_decay: float) -> list[list[float]]:
    w, m, v, path = values(two_parameters()), [0.0] * 8, [0.0] * 8, []
    for step in range(STEPS):
        for i, g in enumerate(flat_gradients(step)):
            g = g + weight_decay * w[i]
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g**2
            m_hat, v_hat = m[i] / (1 - b1 ** (step + 1)), v[i] / (1 - b2 ** (step + 1))
            w[i] -= lr * m_hat / (math.sqrt(v_hat) + epsilon)
        path.append(list(w))
    return path


def assert_same_path(ours: list[list[float]], expected: list[list[float]]) -> None:
    assert len(ours) == len(expected) == STEPS
    for step, (row, other) in enumerate(zip(ours, expected), start=1):
        assert row == pytest.approx(other, rel=1e-13, abs=1e-15), f"step {step}"


SGD_CASES = [
    {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
    {"momentum": 0.9, "weight_decay": 0.0, "nesterov": False},
    {"momentum": 0.9, "weight_decay": 0.0, "nesterov": True},
    {"momentum": 0.0, "weight_decay": 0.01, "nesterov": False},
    {"momentum": 0.5, "weight_decay": 0.1, "nesterov": False},
    {"momentum": 0.5, "weight_decay": 0.1, "nesterov": True},
]
ADAM_CASES = [
    {},
    {"weight_decay": 0.1},
    {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
    {"beta1": 0.0, "beta2": 0.0},
]


@pytest.mark.parametrize("arguments", SGD_CASES, ids=str)
def test_sgd(arguments: dict[str, Any]) -> None:
    assert_same_path(trajectory(SGD(0.1, **arguments)), sgd_by_hand(0.1, **arguments))


@pytest.mark.parametrize("arguments", ADAM_CASES, ids=str)
def test_adam(arguments: dict[str, Any]) -> None:
    expected = adam_by_hand(
        0.05,
        arguments.get("beta1", 0.9),
        arguments.get("beta2", 0.999),
        arguments.get("epsilon", 1e-8),
        arguments.get("weight_decay", 0.0),
    )
    assert_same_path(trajectory(Adam(0.05, **arguments)), expected)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient() -> None:
    parameter = Parameter("weight", [[1.0, 1.0]])
    parameter.gradient = [[1e-3, -1e5]]
    Adam(0.01).step([parameter])
    assert parameter.value[0] == pytest.approx([0.99, 1.01], rel=1e-6)


@pytest.mark.parametrize("arguments", SGD_CASES + ADAM_CASES, ids=str)
def test_update_rules_against_pytorch(arguments: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours = SGD(0.1, **arguments) if arguments in SGD_CASES else Adam(0.1, **arguments)
    tensors = [torch.tensor(p.value, dtype=torch.double, requires_grad=True) for p in two_parameters()]
    theirs: Any
    if isinstance(ours, Adam):
        theirs = torch.optim.Adam(tensors, 0.1, (ours.beta1, ours.beta2), ours.epsilon, weight_decay=ours.weight_decay)
    else:
        theirs = torch.optim.SGD(tensors, 0.1, **arguments)
    expected = []
    for step in range(STEPS):
        for tensor, gradient in zip(tensors, gradients_of(step)):
            tensor.grad = torch.tensor(gradient, dtype=torch.double)
        theirs.step()
        expected.append([v for tensor in tensors for v in tensor.detach().flatten().tolist()])
    assert_same_path(trajectory(ours), expected)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), Adam(0.1)], ids=["SGD", "Adam"])
def test_reset_forgets_the_past(optimizer: Optimizer) -> None:
    first = trajectory(optimizer)
    assert trajectory(optimizer) != first
    optimizer.reset()
    assert trajectory(optimizer) == first


def test_a_step_leaves_the_gradients_alone() -> None:
    for optimizer in (SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1), Adam(0.1, weight_decay=0.1)):
        (parameter,) = [Parameter("weight", [[1.0, 2.0]])]
        for _ in range(2):
            parameter.gradient = [[3.0, 4.0]]
            optimizer.step([parameter])
            assert parameter.gradient == [[3.0, 4.0]]


def test_optimizers_go_by_their_names() -> None:
    assert OPTIMIZERS["sgd"] is SGD
    assert OPTIMIZERS["adam"] is Adam


# --- schedules ---------------------------------------------------------------------------------------------------


def rates(schedule: Schedule, losses: list[float], lr: float) -> list[float]:
    """The learning rate after each epoch, for the given losses."""
    optimizer = SGD(lr)
    schedule.start(optimizer)
    after = []
    for epoch, loss in enumerate(losses, start=1):
        schedule.after_epoch(optimizer, epoch, loss)
        after.append(optimizer.lr)
    return after


def test_step_schedule() -> None:
    assert rates(StepSchedule(2, gamma=0.5), [1.0] * 7, lr=0.8) == [0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1]


def test_cosine_schedule() -> None:
    after = rates(CosineSchedule(4, minimum=0.1), [1.0] * 6, lr=1.1)
    half = math.sqrt(0.5)
    assert after == pytest.approx([0.6 + 0.5 * half, 0.6, 0.6 - 0.5 * half, 0.1, 0.1, 0.1], rel=1e-14)
    assert rates(CosineSchedule(2), [1.0] * 2, lr=1.0)[-1] == pytest.approx(0.0, abs=1e-16)


def test_plateau_schedule_waits_for_more_than_its_patience() -> None:
    losses = [1.0, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4]
    after = rates(ReduceOnPlateau(factor=0.5, patience=2), losses, lr=0.8)
    assert after == [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2]


def test_plateau_schedule_wants_a_real_improvement_and_stops_at_its_minimum() -> None:
    barely = [1.0, 0.95, 0.91, 0.905]  # each within a tenth of the best, 1.0
    after = rates(ReduceOnPlateau(factor=0.1, patience=0, threshold=0.1, minimum=0.005), barely, lr=0.1)
    assert after == pytest.approx([0.1, 0.01, 0.005, 0.005])
    assert rates(ReduceOnPlateau(patience=0, threshold=0.1), [1.0, 0.89], lr=0.1) == [0.1, 0.1]


def test_plateau_schedule_counts_nan_as_no_improvement() -> None:
    assert rates(ReduceOnPlateau(factor=0.5, patience=0), [1.0, math.nan, 0.5], lr=0.8) == [0.8, 0.4, 0.4]


def test_starting_a_schedule_again_starts_it_afresh() -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=0)
    assert rates(schedule, [1.0, 1.0], lr=0.8) == rates(schedule, [1.0, 1.0], lr=0.8) == [0.8, 0.4]


# --- clipping ----------------------------------------------------------------------------------------------------


def parameters_with(*gradients: Rows) -> list[Parameter]:
    parameters = [Parameter("weight", gradient) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.gradient = gradient
    return parameters


def test_clipping_scales_all_gradients_by_one_factor() -> None:
    parameters = parameters_with([[3.0, 0.0]], [[0.0], [4.0]])
    assert clip_gradient_norm(parameters, 1.0) == 5.0
    assert parameters[0].gradient == [pytest.approx([0.6, 0.0])]
    assert linalg.flatten(parameters[1].gradient) == pytest.approx([0.0, 0.8])


@pytest.mark.parametrize("maximum", [5.0, 6.0])
def test_short_gradients_are_not_touched(maximum: float) -> None:
    parameters = parameters_with([[3.0, 0.0]], [[0.0], [4.0]])
    assert clip_gradient_norm(parameters, maximum) == 5.0
    assert [p.gradient for p in parameters] == [[[3.0, 0.0]], [[0.0], [4.0]]]
    assert clip_gradient_norm(parameters_with([[0.0, 0.0]]), 1.0) == 0.0


# --- misuse ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.0), r"lr must be a number above 0 and finite, got 0.0"),
        (lambda: SGD(-1), r"lr must be a number above 0 and finite, got -1"),
        (lambda: Adam("fast"), r"lr must be a number above 0 and finite, got 'fast'"),
        (lambda: SGD(math.nan), r"lr must be .*, got nan"),
        (lambda: SGD(math.inf), r"lr must be .*, got inf"),
        (lambda: SGD(True), r"lr must be .*, got True"),
        (lambda: SGD(0.1, momentum=1.0), r"momentum must be a number at least 0 and below 1, got 1.0"),
        (lambda: SGD(0.1, momentum=-0.1), r"momentum must be .*, got -0.1"),
        (lambda: SGD(0.1, weight_decay=-1), r"weight_decay must be a number at least 0 and finite, got -1"),
        (lambda: SGD(0.1, nesterov=True), r"nesterov needs a momentum above 0"),
        (lambda: Adam(beta1=1.0), r"beta1 must be a number at least 0 and below 1, got 1.0"),
        (lambda: Adam(beta2=-0.5), r"beta2 must be .*, got -0.5"),
        (lambda: Adam(epsilon=0.0), r"epsilon must be a number above 0 and finite, got 0.0"),
        (lambda: StepSchedule(0), r"step_size must be a whole number of at least 1, got 0"),
        (lambda: StepSchedule(5, gamma=0.0), r"gamma must be a number above 0"),
        (lambda: CosineSchedule(0), r"epochs must be a whole number of at least 1"),
        (lambda: CosineSchedule(5, minimum=-1), r"minimum must be a number at least 0"),
        (lambda: ReduceOnPlateau(factor=1.0), r"factor must be a number above 0 and below 1, got 1.0"),
        (lambda: ReduceOnPlateau(patience=-1), r"patience must be a whole number of at least 0"),
        (lambda: ReduceOnPlateau(threshold=1.0), r"threshold must be a number at least 0 and below 1"),
        (lambda: clip_gradient_norm([], 0.0), r"gradient norm must be a number above 0"),
    ],
)
def test_wrong_arguments_say_which_and_what_came(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
