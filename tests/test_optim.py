"""Update rules step by step against their recurrences, written out here on plain floats as PyTorch documents them."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import pytest

from scratchnn import Callback, KLDivLoss, Linear, LogSoftmax, Model, Tanh, linalg
from scratchnn.engines.arrays import ArrayEngine
from scratchnn.engines.finding import find_engine
from scratchnn.engines.lists import Lists
from scratchnn.layers import Parameter
from scratchnn.optim import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineSchedule,
    OneCycleSchedule,
    Optimizer,
    ReduceOnPlateau,
    RMSprop,
    Schedule,
    StepSchedule,
    WarmUp,
    clip_gradient_norm,
    make_schedule,
)
from tests.rows import Rows, random_rows

STEPS = 7


def two_parameters() -> list[Parameter]:
    return [Parameter("weight", random_rows(3, 2)), Parameter("bias", random_rows(1, 2, seed=1))]


def gradients_of(step: int) -> list[Rows]:
    return [random_rows(3, 2, seed=100 + step), random_rows(1, 2, seed=200 + step)]


def values(parameters: list[Parameter]) -> list[float]:
    return [v for p in parameters for v in linalg.flatten(p.value)]


def trajectory(optimizer: Optimizer, engine: str = "linalg") -> list[list[float]]:
    """All parameters after each step."""
    optimizer.ops = ops = find_engine(engine, 8)
    parameters, path = two_parameters(), []
    for parameter in parameters:
        parameter.value = ops.from_rows(parameter.value)
    for step in range(STEPS):
        for parameter, gradient in zip(parameters, gradients_of(step)):
            parameter.gradient = ops.from_rows(gradient)
        optimizer.step(parameters)
        path.append([v for p in parameters for v in linalg.flatten(ops.to_rows(p.value))])
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


def adamw_by_hand(lr: float, b1: float, b2: float, epsilon: float, weight_decay: float) -> list[list[float]]:
    w, m, v, path = values(two_parameters()), [0.0] * 8, [0.0] * 8, []
    for step in range(STEPS):
        for i, g in enumerate(flat_gradients(step)):
            w[i] -= lr * weight_decay * w[i]
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g**2
            m_hat, v_hat = m[i] / (1 - b1 ** (step + 1)), v[i] / (1 - b2 ** (step + 1))
            w[i] -= lr * m_hat / (math.sqrt(v_hat) + epsilon)
        path.append(list(w))
    return path


def rmsprop_by_hand(lr: float, alpha: float, epsilon: float, momentum: float, weight_decay: float) -> list[list[float]]:
    w, s, velocity, path = values(two_parameters()), [0.0] * 8, [0.0] * 8, []
    for step in range(STEPS):
        for i, g in enumerate(flat_gradients(step)):
            g = g + weight_decay * w[i]
            s[i] = alpha * s[i] + (1 - alpha) * g**2
            velocity[i] = momentum * velocity[i] + g / (math.sqrt(s[i]) + epsilon)
            w[i] -= lr * velocity[i]
        path.append(list(w))
    return path


def adagrad_by_hand(lr: float, epsilon: float, weight_decay: float) -> list[list[float]]:
    w, s, path = values(two_parameters()), [0.0] * 8, []
    for step in range(STEPS):
        for i, g in enumerate(flat_gradients(step)):
            g = g + weight_decay * w[i]
            s[i] += g**2
            w[i] -= lr * g / (math.sqrt(s[i]) + epsilon)
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


RMSPROP_CASES = [
    {},
    {"momentum": 0.9},
    {"weight_decay": 0.1},
    {"alpha": 0.5, "epsilon": 1e-3, "momentum": 0.5, "weight_decay": 0.1},
    {"alpha": 0.0},
]
ADAGRAD_CASES = [{}, {"weight_decay": 0.1}, {"epsilon": 1e-3}]
EVERY_CASE = [
    *((SGD, case) for case in SGD_CASES),
    *((Adam, case) for case in ADAM_CASES),
    *((AdamW, case) for case in ADAM_CASES),
    *((RMSprop, case) for case in RMSPROP_CASES),
    *((Adagrad, case) for case in ADAGRAD_CASES),
]
every_case = pytest.mark.parametrize(
    ("rule", "arguments"), EVERY_CASE, ids=lambda part: getattr(part, "__name__", None)
)


@pytest.mark.parametrize("arguments", ADAM_CASES, ids=str)
def test_adamw(arguments: dict[str, Any]) -> None:
    usual = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}
    expected = adamw_by_hand(0.05, *{**usual, **arguments}.values())
    assert_same_path(trajectory(AdamW(0.05, **arguments)), expected)


@pytest.mark.parametrize("arguments", RMSPROP_CASES, ids=str)
def test_rmsprop(arguments: dict[str, Any]) -> None:
    usual = {"alpha": 0.99, "epsilon": 1e-8, "momentum": 0.0, "weight_decay": 0.0}
    expected = rmsprop_by_hand(0.05, *{**usual, **arguments}.values())
    assert_same_path(trajectory(RMSprop(0.05, **arguments)), expected)


@pytest.mark.parametrize("arguments", ADAGRAD_CASES, ids=str)
def test_adagrad(arguments: dict[str, Any]) -> None:
    expected = adagrad_by_hand(0.05, *{"epsilon": 1e-10, "weight_decay": 0.0, **arguments}.values())
    assert_same_path(trajectory(Adagrad(0.05, **arguments)), expected)


def test_without_weight_decay_adamw_is_adam() -> None:
    assert trajectory(AdamW(0.05, weight_decay=0.0)) == trajectory(Adam(0.05))


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


def in_pytorch(torch: Any, ours: Any, tensors: Any) -> Any:
    """PyTorch's optimizer with the arguments of one of ours."""
    more: dict[str, Any] = {"lr": ours.lr, "weight_decay": ours.weight_decay}
    if isinstance(ours, SGD):
        more.update(momentum=ours.momentum, nesterov=ours.nesterov)
    elif isinstance(ours, RMSprop):
        more.update(alpha=ours.alpha, eps=ours.epsilon, momentum=ours.momentum)
    elif isinstance(ours, Adam):
        more.update(betas=(ours.beta1, ours.beta2), eps=ours.epsilon)
    else:
        more.update(eps=ours.epsilon)
    return getattr(torch.optim, type(ours).__name__)(tensors, **more)


@pytest.mark.parametrize("engine", ["linalg", "numpy"])
@every_case
def test_update_rules_against_pytorch(rule: Any, arguments: dict[str, Any], engine: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("numpy")
    ours = rule(0.1, **arguments)
    tensors = [torch.tensor(p.value, dtype=torch.double, requires_grad=True) for p in two_parameters()]
    theirs = in_pytorch(torch, ours, tensors)
    expected = []
    for step in range(STEPS):
        for tensor, gradient in zip(tensors, gradients_of(step)):
            tensor.grad = torch.tensor(gradient, dtype=torch.double)
        theirs.step()
        expected.append([v for tensor in tensors for v in tensor.detach().flatten().tolist()])
    assert_same_path(trajectory(ours, engine), expected)


def test_what_is_not_said_is_what_pytorch_takes_but_for_two_rates() -> None:
    torch = pytest.importorskip("torch")
    for name, rule in OPTIMIZERS.items():
        ours: Any = rule()  # type: ignore[call-arg]
        tensor = torch.zeros(1, requires_grad=True)
        theirs, usual = in_pytorch(torch, ours, [tensor]), getattr(torch.optim, rule.__name__)([tensor])
        differing = {k for k in usual.defaults if usual.defaults[k] != theirs.defaults[k]}
        assert differing == ({"lr"} if name in ("sgd", "adagrad") else set()), name


@pytest.mark.parametrize("engine", ["linalg", "numpy"])
@pytest.mark.parametrize("schedule", [None, "onecycle", "warmup"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_network_learns_step_by_step_what_pytorch_does(name: str, schedule: str | None, engine: str) -> None:
    """Layers, a loss, a rule and a schedule together: ten steps, to 1e-9."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("numpy")
    X, epochs = random_rows(12, 4, seed=3), 10
    Y = [linalg.softmax(row) for row in random_rows(12, 3, seed=4)]
    layers = [Linear(4, 5), Tanh(), Linear(5, 3), LogSoftmax()]
    model = Model.from_layers(layers, loss=KLDivLoss(), engine=engine, scaling="none", seed=2)
    weights = [torch.tensor(w, dtype=torch.double, requires_grad=True) for w in model.weights]
    ours: Any = OPTIMIZERS[name](0.05)  # type: ignore[call-arg]
    theirs, chosen = in_pytorch(torch, ours, weights), make_schedule(schedule, epochs)
    if chosen is not None:
        chosen.start(SGD(0.05))
    if schedule == "warmup":
        assert isinstance(chosen, WarmUp) and chosen.epochs == 1
    model.fit(X, Y, epochs=epochs, optimizer=ours, schedule=schedule, batch_size=None, shuffle=False, clip_norm=None)
    x, y = (torch.tensor(rows, dtype=torch.double) for rows in (X, Y))
    stand_in = SGD(0.05)
    if chosen is not None:
        chosen.start(stand_in)
    for epoch in range(1, epochs + 1):
        for group in theirs.param_groups:
            group["lr"] = stand_in.lr
        theirs.zero_grad()
        hidden = torch.tanh(x @ weights[0] + weights[1])
        outputs = torch.log_softmax(hidden @ weights[2] + weights[3], dim=1)
        loss = torch.nn.functional.kl_div(outputs, y, reduction="batchmean")
        loss.backward()
        theirs.step()
        assert model.history.loss[epoch - 1] == pytest.approx(loss.item(), rel=1e-9)
        if chosen is not None:
            chosen.after_epoch(stand_in, epoch, loss.item())
    for found, wanted in zip(model.weights, weights):
        flat = [v for row in found for v in (row if isinstance(row, list) else [row])]
        assert flat == pytest.approx(wanted.detach().flatten().tolist(), rel=1e-9, abs=1e-12)


REMEMBERING: list[Optimizer] = [
    SGD(0.1, momentum=0.9),
    Adam(0.1),
    AdamW(0.1),
    RMSprop(0.1),
    RMSprop(0.1, momentum=0.9),
    Adagrad(0.1),
]


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
@pytest.mark.parametrize("optimizer", REMEMBERING, ids=repr)
def test_what_a_rule_remembers_can_be_taken_up_by_another_one(optimizer: Optimizer, engine: str) -> None:
    """To the last bit, and what it says of its memory is true."""
    ops, optimizer = find_engine(engine, 8), copy(optimizer)
    optimizer.reset()
    optimizer.ops = ops
    first, second = two_parameters(), two_parameters()
    for parameter in (*first, *second):
        parameter.value = ops.from_rows(parameter.value)
    shapes = [ops.shape(p.value) for p in first]
    assert optimizer.remembers(shapes, 0) == ([], 0)
    other = copy(optimizer)
    other.reset()
    for step in range(STEPS):
        for a, b, gradient in zip(first, second, gradients_of(step)):
            a.gradient = b.gradient = ops.from_rows(gradient)
        optimizer.step(first)
        other.step(second)
        assert [ops.to_rows(a.value) for a in first] == [ops.to_rows(b.value) for b in second]
        memory = [ops.in_form(ops.to_rows(m), ops.form_of(m)) for m in other.matrices()]
        assert other.remembers(shapes, step + 1) == ([ops.shape(m) for m in memory], other.steps)
        again = copy(other)
        again.reset()
        again.restore(memory, other.steps)
        other = again


@pytest.mark.parametrize("optimizer", [*REMEMBERING[1:]], ids=repr)
def test_squares_below_0_are_refused(optimizer: Optimizer) -> None:
    optimizer = copy(optimizer)
    trajectory(optimizer)
    wrong = [[[-1.0 for _ in row] for row in matrix] for matrix in optimizer.matrices()]
    with pytest.raises(ValueError, match="squares below 0"):
        optimizer.restore(wrong, 3)


@pytest.mark.parametrize("optimizer", REMEMBERING, ids=repr)
def test_reset_forgets_the_past(optimizer: Optimizer) -> None:
    first = trajectory(optimizer)
    assert trajectory(optimizer) != first
    optimizer.reset()
    assert trajectory(optimizer) == first


def test_a_step_leaves_the_gradients_alone() -> None:
    nesterov = SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
    rmsprop = RMSprop(0.1, momentum=0.9, weight_decay=0.1)
    for optimizer in (nesterov, Adam(0.1, weight_decay=0.1), AdamW(0.1), rmsprop, Adagrad(0.1, weight_decay=0.1)):
        (parameter,) = [Parameter("weight", [[1.0, 2.0]])]
        for _ in range(2):
            parameter.gradient = [[3.0, 4.0]]
            optimizer.step([parameter])
            assert parameter.gradient == [[3.0, 4.0]]


def test_optimizers_go_by_their_names() -> None:
    assert OPTIMIZERS["sgd"] is SGD
    assert OPTIMIZERS["adam"] is Adam
    assert OPTIMIZERS["adamw"] is AdamW
    assert OPTIMIZERS["rmsprop"] is RMSprop
    assert OPTIMIZERS["adagrad"] is Adagrad


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


def rates_of_epochs(schedule: Schedule, losses: list[float], lr: float) -> list[float]:
    """The learning rate of each epoch, the first one included."""
    optimizer = SGD(lr)
    schedule.start(optimizer)
    return [optimizer.lr, *rates(schedule, losses, lr)][: len(losses)]


def test_a_warm_up_rises_in_a_line_and_hands_over() -> None:
    assert rates_of_epochs(WarmUp(3), [1.0] * 6, lr=0.8) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    steps = rates_of_epochs(WarmUp(1, StepSchedule(2, 0.5)), [1.0] * 7, lr=0.8)
    assert steps == pytest.approx([0.4, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2])
    losses = [1.0, 1.0, 0.5, 0.5, 0.5]
    plateau = rates_of_epochs(WarmUp(1, ReduceOnPlateau(factor=0.5, patience=0)), losses, lr=0.8)
    assert plateau == pytest.approx([0.4, 0.8, 0.8, 0.8, 0.4])  # what was lost while warming up does not count
    nothing = WarmUp(0, CosineSchedule(4))
    assert rates_of_epochs(nothing, [1.0] * 6, lr=0.8) == rates_of_epochs(CosineSchedule(4), [1.0] * 6, lr=0.8)
    twice = WarmUp(1, WarmUp(1, OneCycleSchedule(4, pct_start=0.5)))
    assert rates_of_epochs(twice, [1.0] * 5, lr=0.8) == pytest.approx([0.4, 0.4, 0.032, 0.416, 0.8])


def test_one_cycle_goes_up_and_down() -> None:
    cycle = rates_of_epochs(OneCycleSchedule(6, pct_start=0.34, div_factor=10.0, final_div_factor=4.0), [1.0] * 9, 1.0)
    half = math.sqrt(0.5)
    first, last = 0.1, 0.025
    down = [last + (1.0 - last) * (1.0 + part) / 2.0 for part in (1.0, half, 0.0, -half, -1.0)]
    assert cycle == pytest.approx([first, (first + 1.0) / 2.0, *down, last, last])
    assert max(rates_of_epochs(OneCycleSchedule(10), [1.0] * 10, 0.3)) == 0.3
    assert rates_of_epochs(OneCycleSchedule(1), [1.0], 0.3) == [0.3]  # a run of one epoch keeps its rate
    assert rates_of_epochs(OneCycleSchedule(5, pct_start=0.99), [1.0] * 6, 0.3)[-1] == pytest.approx(0.3)


@pytest.mark.parametrize("epochs", [4, 10, 33])
def test_schedules_against_pytorch(epochs: int) -> None:
    torch = pytest.importorskip("torch")
    schedulers = torch.optim.lr_scheduler
    rising = round(0.3 * epochs)

    def theirs(make: Any, lr: float) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
        scheduler, found = make(optimizer), []
        for _ in range(epochs):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return found

    def one_cycle(optimizer: Any) -> Any:  # which counts the ends of its phases from 0, and our last is not reached
        part = (rising + 1) / (epochs + 1)
        return schedulers.OneCycleLR(optimizer, 0.5, total_steps=epochs + 1, pct_start=part, cycle_momentum=False)

    def warm_up(optimizer: Any) -> Any:
        linear = schedulers.LinearLR(optimizer, start_factor=1.0 / (rising + 1), total_iters=rising)
        cosine = schedulers.CosineAnnealingLR(optimizer, epochs - rising)
        return schedulers.SequentialLR(optimizer, [linear, cosine], [rising])

    losses = [1.0] * epochs
    for ours, make in (
        (OneCycleSchedule(epochs), one_cycle),
        (WarmUp(rising, CosineSchedule(epochs - rising)), warm_up),
    ):
        assert rates_of_epochs(ours, losses, 0.5) == pytest.approx(theirs(make, 0.5), rel=1e-9)


class Watch(Callback):
    def __init__(self) -> None:
        self.rates: list[tuple[float, float]] = []

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.rates.append((run.lr, optimizer_of.lr))


optimizer_of = SGD(0.5)


def test_the_first_epoch_has_the_rate_that_a_schedule_begins_with_and_callbacks_are_told() -> None:
    watch, X, Y = Watch(), random_rows(4, 2), [0, 1, 0, 1]
    Model(2, [], 2).fit(X, Y, epochs=3, batch_size=4, optimizer=optimizer_of, schedule=WarmUp(1), callbacks=[watch])
    assert watch.rates == [(0.25, 0.25), (0.5, 0.5), (0.5, 0.5)]
    assert optimizer_of.lr == 0.5


def test_every_schedule_can_be_had_by_its_name_and_copied() -> None:
    for name, kind in SCHEDULES.items():
        one = make_schedule(name, 5)
        assert type(one) is kind
        assert one.known()
        other = copy(one)
        assert rates(one, [1.0] * 5, 0.5) == rates(other, [1.0] * 5, 0.5)
        assert one.state() == other.state()
    once, again = WarmUp(1, ReduceOnPlateau(patience=0)), WarmUp(1, ReduceOnPlateau(patience=0))
    rates(once, [1.0, 1.0, 1.0, 1.0], 0.8)
    rates(again, [0.1], 0.8)
    state = once.state()
    other = copy(once)
    once.restore(again.state())
    assert other.state() == state != once.state() == again.state()


def test_a_refused_run_leaves_a_warm_up_as_it_was() -> None:
    class Refuses(Callback):
        def on_train_begin(self, model: Any, run: Any) -> None:
            raise ValueError("no")

    schedule = WarmUp(1, CosineSchedule(3))
    with pytest.raises(ValueError, match="no"):
        Model(2, [], 2).fit(random_rows(4, 2), [0, 1, 0, 1], schedule=schedule, callbacks=[Refuses()])
    assert schedule.state() == WarmUp(1, CosineSchedule(3)).state()


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
        (lambda: AdamW(weight_decay=-0.1), r"weight_decay must be a number at least 0 and finite, got -0.1"),
        (lambda: RMSprop(alpha=1.0), r"alpha must be a number at least 0 and below 1, got 1.0"),
        (lambda: RMSprop(momentum=1.0), r"momentum must be a number at least 0 and below 1, got 1.0"),
        (lambda: RMSprop(epsilon=0.0), r"epsilon must be a number above 0 and finite, got 0.0"),
        (lambda: Adagrad(lr=0), r"lr must be a number above 0 and finite, got 0"),
        (lambda: Adagrad(epsilon=-1.0), r"epsilon must be .*, got -1.0"),
        (lambda: WarmUp(-1), r"epochs must be a whole number of at least 0, got -1"),
        (lambda: WarmUp(3, "cosine"), r"then must be a Schedule such as CosineSchedule\(30\), or None, got 'cosine'"),
        (lambda: OneCycleSchedule(0), r"epochs must be a whole number of at least 1, got 0"),
        (lambda: OneCycleSchedule(5, pct_start=1.0), r"pct_start must be a number at least 0 and below 1, got 1.0"),
        (lambda: OneCycleSchedule(5, div_factor=0.5), r"div_factor must be a number at least 1 and finite, got 0.5"),
        (lambda: OneCycleSchedule(5, final_div_factor=0), r"final_div_factor must be a number at least 1 and finite"),
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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [0.0, 1e-25, 1.0, 1e20])
def test_a_norm_is_found_whatever_floats_it_is_made_of(dtype: str, size: float) -> None:
    pytest.importorskip("numpy")
    ops, parameter = ArrayEngine("numpy", dtype=dtype), Parameter("weight", None)
    parameter.gradient = ops.from_rows([[size, 0.0]])
    assert clip_gradient_norm([parameter], 1.0, ops) == pytest.approx(size, rel=1e-6)
    assert ops.to_rows(parameter.gradient)[0][0] == pytest.approx(min(size, 1.0), rel=1e-6)


def test_adamw_without_decay_computes_what_adam_does() -> None:
    """Not a pass over the weights more."""

    class Counting(Lists):
        passes = 0

        def add_scaled(self, a: Any, b: Any, factor: float) -> Any:
            Counting.passes += 1
            return linalg.add_scaled(a, b, factor)

    counts = []
    for rule in (Adam(), AdamW(weight_decay=0.0)):
        parameter = Parameter("weight", [[1.0, -2.0]])
        rule.begin(Counting())
        Counting.passes = 0
        for _ in range(3):
            parameter.gradient = [[0.5, 0.25]]
            rule.step([parameter])
        counts.append((Counting.passes, parameter.value))
    assert counts[0] == counts[1]
