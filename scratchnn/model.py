"""``Model``: a network, its loss, and what it knows of its data, with fit, predict, score, save and load.

It introduces them to each other: a ``Schema`` knows the data, a ``Trainer`` the loop, an engine the numbers, ``layers``
and ``losses`` the mathematics, ``records`` files.
"""

from __future__ import annotations

import math
import os
from _collections_abc import Iterable
from random import Random

from . import defaults, linalg
from .checks import (
    MESSAGE,
    chosen,
    require_known,
    require_seed,
    require_size,
    shortened,
    shown,
    shown_path,
)
from .engines.finding import DEFAULT_ENGINE, Computing, find_engine
from .engines.lists import LISTS
from .errors import ArgumentError, DataError, ModelFileError
from .layers.architecture import (
    find_activation,
    frozen_layers,
    gives_any_number,
    hidden_sizes,
    layer_from_plain,
    layer_to_plain,
    own_layers,
    perceptron,
    summary_rows,
)
from .layers.architecture import (
    input_shape as input_shape_of,
)
from .layers.base import Layer, Parameter, Sequential, Shape, shape_text, width
from .layers.linear import Dropout
from .losses import (
    LOSSES,
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Loss,
    MSELoss,
    check_loss,
    fitted_loss,
)
from .preprocessing.labels import as_answers, as_labels, outputs_for
from .preprocessing.rows import as_rows
from .preprocessing.scaling import Scaling
from .preprocessing.schema import Rows, Schema
from .saving import records
from .saving.model_format import (
    TASKS,
    brought_up_to_date,
    check_description,
    check_fit,
    check_sizes,
    check_work,
)
from .turns import Turns, asking, changing

TYPE_CHECKING = False
if TYPE_CHECKING:  # what only learning needs is imported by ``fit``: predicting starts the sooner
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .optim import Optimizer, Schedule
    from .preprocessing.labels import Label
    from .preprocessing.rows import Row
    from .training.callbacks import History
    from .training.trainer import TrainingData

_OF_OPTIMIZER = ("optimizer", "lr", "momentum", "nesterov", "weight_decay")  # the arguments of fit that make it


CHUNK = 256  # rows that go through the network at once where it does not learn from them; fewer, if it is large
WORK_AT_ONCE = 1 << 29  # multiply-adds for as many rows as go through a network at once: bounds memory at no cost
# What a model keeps when its network is made anew for the number of outputs that the first labels need.
_KEPT = ("_history", "stop_training", "_turns", "_parts")


def _known(name: str, text: str) -> Any:
    """What the schema says, as something that a model says."""
    return property(lambda model: getattr(model.schema, name), doc=text)


class Model(Computing):
    """A multilayer perceptron, or with ``from_layers`` any stack of layers.

    ``input_size`` features go through one hidden layer of ``hidden_size`` units, or several if it is a list (none if
    that is empty), to ``output_size`` outputs: one a class, or one a number to be predicted. A classifier with one
    output tells two classes apart. Not given, it is read off ``y`` by the first fit, until which there are 10 outputs
    (one for regression); setting ``weights`` before settles it.

    Keyword arguments: ``activation`` (relu, leaky_relu, tanh, sigmoid; or a layer such as ``LeakyReLU(0.2)``),
    ``dropout`` (rate after each hidden layer), ``init`` ("auto": he after a ReLU unless the layer widens, and xavier
    otherwise; or as in ``Linear``), ``task`` ("classification", "regression" or "multilabel"), ``scaling`` (of
    features, see ``preprocessing.Scaling``), ``target_scaling`` (see below), ``engine`` (what computes), ``seed``
    (same seed, same data: same result to the last bit). Raises ``ValueError`` for an argument that makes no sense.

    Regression learns standardised targets, each column with mean 0 and deviation 1, and turns what it predicts back:
    predictions, losses and scores are in the unit of the targets as they were given. ``target_scaling`` "auto" does
    so for the mean squared error, where the network ends in a linear layer (one that ends in a sigmoid can give no
    others than it was given); targets that are the rows themselves, an autoencoder's, are scaled as those are.
    "standard" does so in any case, "none" leaves targets alone.

    Task "multilabel" is for rows with any number of labels: ``y`` has a row of 0 and 1 for each, and so has what is
    predicted; probabilities are those of each label by itself, and a row counts as right if all of its labels are.

    A model has its layers in ``network`` (a ``Sequential``), its ``loss`` and ``task``, after ``fit`` its ``classes``
    in the order of the outputs and the ``history``, and ``weights``, which can be set as well. All that it knows of its
    data is in ``schema``. A callback that sets ``stop_training`` ends a run.
    """

    schema: Schema
    task = _known("task", "classification, regression or multilabel.")
    input_shape = _known("input_shape", "The shape of a sample: (features,) or (channels, height, width).")
    input_size = _known("width", "Features a row.")
    output_size = _known("output_size", "Numbers that the network gives for a row.")
    scaling = _known("scaling", "What became of features; None before there were data.")
    target_scaling = _known("target_scaling", "What became of regression targets; None before there were data.")
    label_name = _known("label_name", "The name of the label's column in the file that was learned from, or None.")
    label_position = _known("label_position", "Its position there, from 0 (or from -1 at the end), or None.")

    _open: dict[str, Any] | None = None  # what it was made with, until the first labels tell how many outputs there are
    _own_engine: Any = LISTS  # the one it was made with; while it learns, ``ops`` may be one that suits its data

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int] = defaults.HIDDEN_SIZE,
        output_size: int | None = None,
        *,
        activation: str | type[Layer] | Layer | Callable[[float], float] = "relu",
        dropout: float = 0.0,
        init: str | float = defaults.AUTO,
        task: str = "classification",
        scaling: str = "auto",
        target_scaling: str = "auto",
        engine: Any = DEFAULT_ENGINE,
        seed: int = 0,
    ) -> None:
        given = {"activation": activation, "dropout": dropout, "init": init, "engine": engine}
        pattern = find_activation(activation)
        require_known("task", task, TASKS)
        Dropout(dropout)  # checks the rate
        outputs = 1 if task == "regression" else 10
        if output_size is not None:
            outputs = require_size("output_size", output_size)
        sizes = [require_size("input_size", input_size), *hidden_sizes(hidden_size), outputs]
        loss: Loss = MSELoss()
        if task == "classification":
            loss = CrossEntropyLoss() if outputs > 1 else BCEWithLogitsLoss()
        elif task == "multilabel":
            loss = BCEWithLogitsLoss()
            check_loss(Sequential([]), loss, task, sizes[-1])
        network = perceptron(sizes, pattern, dropout, init)
        self._assemble(network, loss, task, (sizes[0],), scaling, target_scaling, engine, seed)
        self._open = {**given, "input_size": sizes[0], "hidden_size": sizes[1:-1]} if output_size is None else None

    def _settle_outputs(self, y: Any) -> Any:
        """``y``, after the network has as many outputs as it needs, if nobody has said how many there are."""
        if self._open is None or self.schema.scaling is not None or not isinstance(y, Iterable):
            return y
        y = y if hasattr(y, "__len__") else list(y)
        count = outputs_for(y, self.task == "classification")
        if count not in (0, self.output_size):
            kept = {name: vars(self)[name] for name in _KEPT}
            frozen, before = frozen_layers(self.network), self.schema
            engine = self._open["engine"] if isinstance(self._open["engine"], str) else self._own_engine
            self.__init__(  # type: ignore[misc]
                **{**self._open, "engine": engine},
                output_size=count,
                task=self.task,
                scaling=before.scaling_kind,
                target_scaling=before.target_scaling_kind,
                seed=self.seed,
            )
            vars(self).update(kept)
            self.schema = before._replace(output_size=count)
            layers = list(self.network.walk())
            for place in frozen:
                layers[place].trainable = False
        self._open = None
        return y

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[Layer],
        *,
        loss: str | Loss | type[Loss] = "cross_entropy",
        input_shape: int | Sequence[int] | None = None,
        task: str | None = None,
        scaling: str = "auto",
        target_scaling: str = "auto",
        engine: Any = DEFAULT_ENGINE,
        seed: int = 0,
    ) -> Model:
        """A model around any stack of layers.

        ``loss`` is a loss, its class or its name (cross_entropy, nll, mse, bce, bce_with_logits). ``input_shape`` is
        the number of features or (channels, height, width); it is read off the first Linear if not given. ``task``
        follows from the loss if not given: classification for cross-entropy and NLL, and for binary cross-entropy on a
        single output; multilabel for ``bce_with_logits`` on several.
        Weights are drawn from ``seed``, but for layers that were given a generator of their own. A layer belongs to one
        model; a ``copy()`` of it starts another model with its weights.
        """
        if isinstance(loss, str):
            loss = LOSSES[chosen("loss", loss, LOSSES)]
        if isinstance(loss, type) and issubclass(loss, Loss):
            loss = loss()
        if not isinstance(loss, Loss):
            raise ArgumentError(f"loss must be a Loss or the name of one ({', '.join(LOSSES)}), got {shown(loss)}")
        network = Sequential(layers)
        if not network.layers:
            raise ArgumentError("a model needs at least one layer")
        shape = input_shape_of(network, input_shape)
        outputs = width(network.output_shape(shape))
        if task is None:
            binary = isinstance(loss, (BCELoss, BCEWithLogitsLoss)) and outputs == 1
            task = "classification" if binary else loss.task
            if isinstance(loss, BCEWithLogitsLoss) and outputs > 1:
                task = "multilabel"
        require_known("task", task, TASKS)
        check_loss(network, loss, task, outputs)
        model = cls.__new__(cls)
        model._assemble(network, loss, task, shape, scaling, target_scaling, engine, seed)
        return model

    def _assemble(
        self,
        network: Sequential,
        loss: Loss,
        task: str,
        shape: Shape,
        scaling: str,
        target_scaling: str,
        engine: Any,
        seed: int | None,
        drawn: bool = True,
    ) -> None:
        for position, layer in enumerate(network):
            if any(part.in_model for part in layer.walk()):
                raise ArgumentError(
                    f"layer {position}, {type(layer).__name__}, belongs to another model, which would be changed: make "
                    "a new layer, or hand over its copy(), which keeps the weights"
                )
        self.network = network
        self.loss = loss
        outputs = width(network.output_shape(shape))
        check_sizes(network, shape)
        self.rows_at_once = max(min(CHUNK, WORK_AT_ONCE // network.work(shape)), 1)
        self._own_engine = self.ops = find_engine(engine, network.longest_row(shape))
        require_known("scaling", scaling, Scaling.KINDS)
        require_known("target_scaling", target_scaling, Scaling.TARGET_KINDS)
        if target_scaling == "standard" and not (task == "regression" and type(loss) is MSELoss):
            raise ArgumentError(f"target_scaling 'standard' is for regression with MSELoss, not for {loss!r}")
        seed = require_seed(seed)
        self.schema = Schema(task, shape, outputs, scaling, target_scaling)
        self._history: History | None = None  # of the last fit
        self.stop_training = False
        self._turns = Turns()
        self._parts: tuple[Any, Optimizer] | None = None  # of the last partial_fit: settings and optimizer
        # Weights have a generator of their own, so that they do not depend on how often rows were shuffled.
        self._weight_rng = Random() if seed is None else Random(f"weights {seed}")
        network.build(shape)
        network.initialise(self._weight_rng if drawn else None)
        network.use(self.ops)
        for layer in network.walk():
            layer.in_model = True
        self.reseed(seed)

    @changing
    def reseed(self, seed: int | None) -> None:
        """From here on draw the order of rows, and what Dropout layers drop, from this seed; weights stay."""
        self.seed = seed = require_seed(seed)
        self._order_rng = Random() if seed is None else Random(f"order {seed}")
        for position, layer in enumerate(self.network.walk()):
            # A stream for each place: what one layer draws depends neither on the others nor on weights being drawn.
            layer.draw_from(Random() if seed is None else Random(f"layer {position} {seed}"))

    @property
    def history(self) -> History:
        """The history of the last ``fit``; an empty one before."""
        if self._history is None:
            from .training.callbacks import History

            self._history = History()
        return self._history

    @history.setter
    def history(self, history: History) -> None:
        self._history = history

    # --- what it is ----------------------------------------------------------------------------------------

    @property
    def classes(self) -> list[Label]:
        """The classes in the order of the outputs; [] before there were data, and for other tasks."""
        return list(self.schema.classes)

    @property
    def feature_names(self) -> list[str]:
        """The names of the columns that were learned from; [] if they had none."""
        return list(self.schema.feature_names)

    @property
    def engine(self) -> str:
        """The name of the number engine that computes."""
        return str(self.ops.name)

    @property
    def parameter_count(self) -> int:
        """How many numbers there are in all weights, those of frozen layers too."""
        return self._count(self.network.parameters())

    def _count(self, parameters: Sequence[Parameter]) -> int:
        return sum(math.prod(self.ops.shape(p.value)) for p in parameters)

    def _is_vector(self, parameter: Parameter) -> bool:
        """Whether its numbers are shown as one list. Others may call a whole matrix bias, too."""
        return parameter.name == "bias" and self.ops.shape(parameter.value)[0] == 1

    @property
    def weights(self) -> list[Any]:
        """A copy of all parameters in the order of the layers: weights as lists of rows, biases as lists of numbers."""
        values = []
        for parameter in self.network.parameters():
            rows = [list(row) for row in self.ops.to_rows(parameter.value)]
            values.append(rows[0] if self._is_vector(parameter) else rows)
        return values

    @weights.setter
    @changing
    def weights(self, values: Sequence[Any]) -> None:
        parameters = self.network.parameters()
        if not isinstance(values, (list, tuple)):
            raise ArgumentError(f"weights must be a list of matrices and vectors, got {type(values).__name__}")
        if len(values) != len(parameters):
            raise ArgumentError(f"weights needs {len(parameters)} matrices and vectors, got {len(values)}")
        matrices = []
        for number, (parameter, value) in enumerate(zip(parameters, values)):
            rows = as_rows([value] if self._is_vector(parameter) else value, f"weights[{number}]")
            came, expected = (len(rows), len(rows[0])), self.ops.shape(parameter.value)
            if came != expected:
                raise ArgumentError(f"weights[{number}] must be {expected[0]}x{expected[1]}, got {came[0]}x{came[1]}")
            matrices.append(self.ops.from_rows([[float(v) for v in row] for row in rows]))
        for parameter, matrix in zip(parameters, matrices):
            parameter.value = matrix
        self._open = None

    def summary(self) -> str:
        """A table as text: each layer, its output shape and its number of parameters."""
        table = [("layer", "output shape", "parameters"), ("input", shape_text(self.input_shape), "")]
        table += summary_rows(self.network, self.input_shape, self.ops)
        totals = [("total", "", f"{self.parameter_count:,}")]
        learning = self._count(self.network.trainable_parameters())
        if learning < self.parameter_count:
            totals.append(("trainable", "", f"{learning:,}"))
        widths = [max(len(row[column]) for row in [*table, *totals]) for column in range(3)]
        rule = "-" * (sum(widths) + 4)
        text = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in [*table, *totals]]
        return "\n".join([text[0], rule, *text[1 : len(table)], rule, *text[len(table) :]])

    def __repr__(self) -> str:
        return f"Model({self.network!r}, loss={self.loss!r}, task={self.task!r}, engine={self.engine!r})"

    def _standardised(self) -> bool:
        """Whether the loss is the squared error of standardised targets."""
        return type(self.loss) is MSELoss and self.schema.target_scaling_kind != "none"

    def _standardises(self) -> bool:
        """Whether outputs may stand for standardised targets."""
        return self.task == "regression" and type(self.loss) is MSELoss and gives_any_number(self.network)

    @property
    def fitted_loss(self) -> Loss:
        """The loss as it is computed: on targets as they were given, and outputs that stand for standardised ones."""
        return fitted_loss(self.loss, self.target_scaling)

    def training_batch(self, X: Any, y: Any) -> tuple[Rows, list[Any]]:
        """(inputs, targets) as the network and the loss see them when they are fitted to raw rows and labels."""
        return self.schema.training_batch(X, y, self._standardises())

    # --- training ------------------------------------------------------------------------------------------

    @changing
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = defaults.EPOCHS,
        lr: float | None = None,
        batch_size: int | str | None = defaults.AUTO,
        optimizer: str | Optimizer | type[Optimizer] = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: str | Schedule | type[Schedule] | None = defaults.AUTO,
        clip_norm: float | str | None = defaults.AUTO,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[Label, float] | str | None = None,
        columns: Any = None,
        callbacks: Sequence[Any] = (),
        eval: int | None = None,
        show_training_info: bool = False,
        verbose: int = 0,
        shuffle: bool = True,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: bool = False,
        stop_on_sigterm: bool = False,
    ) -> History:
        """Train on rows ``X`` (samples x features) and labels ``y`` (one a row), and return the ``History``.

        A second call goes on from the weights of the first, with the scaling and the classes learned then.

        What is not given is the recommended, the same as on the command line (``scratchnn.defaults`` has the numbers):
        ``lr`` is 0.1 for SGD and 0.001 for Adam, ``momentum`` 0.9 for SGD (0 is none), and an optimizer object keeps
        its own, with its rate set to ``lr`` if that is given. ``schedule`` is a cosine over the ``epochs`` asked for
        (None: the rate stays). ``batch_size`` is 32, on fewer than 320 rows a tenth of them and at least 8 (None: all
        rows at once, full-batch gradient descent). ``clip_norm`` is 1 for the mean squared error of standardised
        targets and for more than 4 layers with weights (None: gradients are left as they are).

        Every call is a run of its own: momentum starts at 0 and the schedule at its first rate, so a second call goes
        back up to it. A run of one epoch keeps its rate. A schedule falls over the epochs asked for, also where
        ``EarlyStopping`` ends it before.

        ``validation_data`` is a pair (X, y) that is measured after every epoch; ``validation_split`` sets that fraction
        of the rows aside for it, drawn with the model's seed and with every class in proportion. ``optimizer`` and
        ``schedule`` ("cosine", "step", "plateau") may be names, classes or objects. ``sample_weight`` is one number a
        row, ``class_weight`` a dict of class: weight (1 for those left out) or "balanced": a class's weight is then the
        smaller, the more rows it has. Weights are 1 on average. As a few heavy rows would act as a larger learning
        rate, steps are shorter the more weights differ, about 1 / (mean w²) times as long (see
        ``weighting.step_share``). ``columns`` names the columns of ``X`` for a model that has not been fitted yet: a
        ``Dataset`` from a file, or a list of names (a DataFrame brings its own). ``show_training_info`` shows progress
        on standard error, a line every ``eval`` epochs (not given: every epoch, and on a terminal about 30 in all);
        ``verbose=1`` does the same, ``verbose=2`` has no live line. The model keeps the history as ``model.history``.

        ``checkpoint`` is a file that says where the run stands, after every epoch and every ``checkpoint_every``
        batches; with ``resume=True`` a run that was stopped or killed goes on from there (or starts, if there is no
        such file), and ends with the same weights to the last bit as one that never stopped. Other data or settings
        are refused; but a run may be asked for more ``epochs`` than before: a schedule that suits the epochs is then
        stretched to them. Ctrl-C then waits for the end of the batch, writes the checkpoint, and goes on up as
        ``KeyboardInterrupt``; with ``stop_on_sigterm=True`` SIGTERM does the same, as ``SystemExit``; a second one does
        not wait. Where a checkpoint cannot be written, a ``RuntimeWarning`` says so and the run goes on. Raises
        ``DataError`` for data that cannot be learned from, ``ValueError`` for other arguments.
        """
        from contextlib import nullcontext
        from functools import partial

        from .optim import make_optimizer, make_schedule
        from .training import fitting
        from .training.callbacks import RateSchedule, Validation, checked_callbacks
        from .training.snapshot import Snapshot
        from .training.trainer import Trainer, TrainingData

        with Snapshot(self, optimizer, schedule) as before:
            epochs, asked_schedule = require_size("epochs", epochs), schedule
            schedule = make_schedule(asked_schedule, epochs)
            clip_norm = fitting.clip_norm(clip_norm, self._standardised(), self.network)
            if batch_size not in (None, defaults.AUTO):
                batch_size = require_size("batch_size", batch_size)
            rule = make_optimizer(optimizer, lr, {"momentum": momentum, "nesterov": nesterov}, weight_decay)
            if not rule.going_on:
                self._parts = None
            looking_on = [*fitting.progress_shown(show_training_info, verbose, eval), *checked_callbacks(callbacks)]
            keeping = fitting.checkpointing(checkpoint, checkpoint_every, resume, looking_on, schedule, asked_schedule)
            interruption = fitting.interruption(checkpoint is not None, stop_on_sigterm)

            y = self._settle_outputs(y)
            # Its own engine, or that of the run whose callback calls this; which also goes on as it was.
            usual, around, stopped = self.ops, self._turns.running, self.stop_training
            schema = self.schema.with_columns(X, columns)
            rows = schema.rows(X)
            if validation_split is not None:
                if validation_data is not None:
                    raise ArgumentError("validation_data and validation_split: only one of them can be given")
                rows, y, sample_weight, validation_data = fitting.set_aside(
                    schema, rows, y, sample_weight, validation_split, self.seed or 0
                )
            self.schema, targets, weights = schema.learned(rows, y, self._standardises(), sample_weight, class_weight)
            wanted = defaults.batch_size(len(rows)) if batch_size == defaults.AUTO else batch_size
            size = len(rows) if wanted is None else min(int(wanted), len(rows))
            ready, factor = self.schema.inputs(rows)
            prepared = self._prepared(ready, factor, "X")
            held_out = None
            if validation_data is not None:
                held_out = self._evaluation_data(
                    *fitting.as_pair(validation_data, "validation_data"), "validation_data"
                )
            try:
                self._turns.running = True
                self._use(self.ops.tuned_for(prepared, size))
                data = TrainingData(prepared, targets, weights, rows)
                trainer = Trainer(
                    self.network,
                    self.fitted_loss,
                    rule,
                    data,
                    self.ops,
                    epochs=epochs,
                    batch_size=size,
                    clip_norm=clip_norm,
                    shuffled=shuffle,
                    rng=self._order_rng,
                    callbacks=[
                        *([] if held_out is None else [Validation(partial(self._evaluate, held_out))]),
                        *([] if schedule is None else [RateSchedule(schedule, rule)]),
                        *looking_on,
                        *([] if interruption is None else [interruption]),
                    ],
                    count_correct=None if self.task == "regression" else self.count_correct,
                    rows_at_once=self.rows_at_once,
                    subject=self,
                    interruption=interruption,
                )
                if keeping is not None:
                    keeping.attach(
                        trainer,
                        fitting.run_settings(trainer, self.schema, self.loss, self.seed, held_out, schedule, wanted),
                    )
                with interruption or nullcontext(), nullcontext() if keeping is None else keeping.checkpoint:
                    trainer.begin()
                    self._history = trainer.run.history
                    before.forget()
                    trainer.train()
                    self._history = trainer.run.history  # also after a callback has called ``fit``
            finally:
                self._turns.running = around
                if around:
                    self.network.train()
                    self.stop_training = stopped
                else:
                    self.network.eval()
                # What suited the training rows is not kept: a model predicts the same before and after it was saved.
                self._use(usual)
        if interruption is not None:
            run = trainer.run
            kept = "" if keeping is None else keeping.kept()
            interruption.go_on(f"training was stopped after epoch {run.epoch}, batch {run.batch}{kept}")
        return trainer.run.history

    @changing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, **settings: Any) -> History:
        """Train one epoch on rows that are a part of all: call it again with the next part.

        A classifier that has not been fitted yet is told all its ``classes`` here if the first rows do not have each;
        later calls may repeat them. Scaling is learned from the rows of the first call. ``settings`` are those of
        ``fit`` but for what is about a whole run (epochs, schedule, checkpoints). Momentum goes on from call to call as
        long as the optimizer's settings stay the same; ``fit`` does not take it up. Errors are those of ``fit``.
        """
        whole = ("epochs", "schedule", "checkpoint", "checkpoint_every", "resume", "stop_on_sigterm")
        odd = [name for name in whole if name in settings]
        if odd:
            raise ArgumentError(f"{' and '.join(odd)}: partial_fit trains one epoch on a part of the rows, use fit")
        known, parts = self.schema, self._parts
        opened = dict(vars(self)) if self._open else {}
        try:
            if classes is not None:
                classes = self._settle_outputs(classes)
            told = self._told_classes(classes)
            rule = self._optimizer_of_parts(settings)
        except BaseException:
            vars(self).update(opened)
            raise
        settings = {**settings, **dict.fromkeys(_OF_OPTIMIZER), "optimizer": rule}
        try:
            self.schema, rule.going_on = told, True
            return self.fit(X, y, epochs=1, schedule=None, **settings)
        except BaseException:
            if not self.schema.scaling:  # it was refused
                vars(self).update({"schema": known, **opened})
            self._parts = parts
            raise
        finally:
            rule.going_on = False

    def _told_classes(self, classes: Any) -> Schema:
        """The schema of a model that is told its classes, or knows them, or neither."""
        if classes is None:
            return self.schema
        if self.task != "classification":
            raise ArgumentError(f"classes are for a classifier, this model does {self.task}")
        told = self.schema.with_classes(as_labels(classes, "classes"), "classes")
        if self.classes and told.classes != self.schema.classes:
            raise ArgumentError(f"classes are {shown(self.classes)} since the first rows, got {shown([*told.classes])}")
        return told

    def _optimizer_of_parts(self, settings: Mapping[str, Any]) -> Optimizer:
        """The optimizer of the last part, or a new one if these settings are other ones, or other layers learn."""
        from .optim import make_optimizer

        usual: Any = Model.fit
        chosen = {name: settings.get(name, usual.__wrapped__.__kwdefaults__[name]) for name in _OF_OPTIMIZER}
        described = chosen, frozen_layers(self.network)
        if self._parts is None or self._parts[0] != described:
            sgd_settings = {name: chosen[name] for name in ("momentum", "nesterov")}
            rule = make_optimizer(chosen["optimizer"], chosen["lr"], sgd_settings, chosen["weight_decay"])
            rule.reset()
            self._parts = described, rule
        return self._parts[1]

    def _use(self, ops: Any) -> None:
        self.network.use(ops)
        self.ops = ops

    def _prepared(self, rows: Sequence[Row], factor: float, name: str) -> Any:
        try:
            return self.ops.prepare(rows, factor)
        except OverflowError as error:
            raise DataError(f"{name}: {error}") from None

    def _questions(self, rows: Sequence[Row], name: str = "X") -> list[tuple[Sequence[int], Any]]:
        """(numbers of rows, what the engine makes of them): pixels apart from rows of numbers, because an engine may
        read all rows of a kind alike, and an answer does not depend on the rows beside it."""
        ready, factor = self.schema.inputs(rows)
        pixels = [type(row) is bytes for row in ready]
        if all(pixels) or not any(pixels):
            return [(range(len(ready)), self._prepared(ready, factor, name))]
        kinds = [[number for number, is_pixels in enumerate(pixels) if is_pixels is kind] for kind in (True, False)]
        return [(numbers, self._prepared([ready[i] for i in numbers], factor, name)) for numbers in kinds]

    def count_correct(self, outputs: Rows, targets: Sequence[Any]) -> int | None:
        """How many rows of outputs name the right class, or all labels rightly; None for regression."""
        return self.schema.count_correct(outputs, targets, self.loss)

    # --- using it ------------------------------------------------------------------------------------------

    def _outputs(self, questions: Sequence[tuple[Sequence[int], Any]]) -> Rows:
        """What the network gives for each row; also in the middle of an epoch the same, to the last bit, as it would
        with these weights after training."""
        if self.ops is self._own_engine:
            return self._computed(questions)
        # A callback asks in the middle of an epoch.
        learning, parameters = self.ops, self.network.parameters()
        values = [parameter.value for parameter in parameters]
        try:
            self._use(self._own_engine)
            return self._computed(questions)
        finally:
            self._use(learning)
            for parameter, value in zip(parameters, values):
                parameter.value = value

    def _computed(self, questions: Sequence[tuple[Sequence[int], Any]]) -> Rows:
        training = self._turns.mine() and self.network.training
        self.network.eval()
        ops, forward, at_once = self.ops, self.network.forward, self.rows_at_once
        outputs: Rows = [[]] * sum(len(numbers) for numbers, _ in questions)
        try:
            for numbers, prepared in questions:
                for first in range(0, len(numbers), at_once):
                    indices = range(first, min(first + at_once, len(numbers)))
                    found = ops.to_rows(forward(ops.take_rows(prepared, indices)))
                    for number, row in zip(numbers[first:], found):
                        outputs[number] = row
        finally:
            if training:
                self.network.train()
        return outputs

    def _raw_outputs(self, X: Any) -> Rows:
        self.schema.require_learned()
        outputs: Rows = self._answer(self._outputs, self._questions(self.schema.rows(X)))
        return outputs

    def _answer(self, compute: Callable[[Any], Any], data: Any) -> Any:
        """What is computed from rows that somebody asked about; ``DataError`` if numbers run away on the way."""
        try:
            return compute(data)
        except OverflowError as error:
            raise DataError(f"X cannot be computed with: {error}") from None

    @asking
    def predict(self, X: Any) -> list[Any]:
        """For each row of ``X`` (samples x features, raw) its class as given in training; for regression its value (a
        number, or a list where the model has several outputs). ``NotFittedError`` before ``fit``."""
        return self.schema.answers(self._raw_outputs(X), self.loss)

    @asking
    def predict_proba(self, X: Any) -> Rows:
        """For each row of ``X`` the probability of every class, in the order of ``classes``; of a multi-label model
        that of every label, each by itself."""
        return self.schema.probabilities(self._raw_outputs(X), self.loss)

    @asking
    def predict_with_proba(self, X: Any) -> tuple[list[Any], Rows]:
        """What ``predict`` and ``predict_proba`` give, with the network run once."""
        outputs = self._raw_outputs(X)
        return self.schema.answers(outputs, self.loss), self.schema.probabilities(outputs, self.loss)

    def _evaluation_data(self, X: Any, y: Any, name: str) -> TrainingData:
        rows = self.schema.rows(X, f"X of {name}" if name else "X")
        self.schema.require_learned()
        targets = self.schema.targets(y, f"y of {name}" if name else "y", len(rows))
        from .training.trainer import TrainingData

        return TrainingData(self._questions(rows, f"X of {name}" if name else "X"), targets, raw=rows)

    def _evaluate(self, data: TrainingData) -> tuple[float, float | None]:
        outputs = self._outputs(data.prepared)
        correct = self.count_correct(outputs, data.targets)
        return self.fitted_loss.forward(outputs, data.targets), None if correct is None else correct / len(data)

    @asking
    def evaluate(self, X: Any, y: Any) -> tuple[float, float | None]:
        """(mean loss, accuracy as a fraction) on rows and labels; the accuracy is None for regression, and the mean
        squared error is that of what ``predict`` gives."""
        return self._answer(self._evaluate, self._evaluation_data(X, y, ""))  # type: ignore[no-any-return]

    @asking
    def score(self, X: Any, y: Any) -> float:
        """The fraction of rows classified rightly (all labels of a row, of a multi-label model); for regression
        R² = 1 - residual / total sum of squares, of several outputs the mean of their R²."""
        data = self._evaluation_data(X, y, "")
        if self.task != "regression":
            accuracy: float | None = self._answer(self._evaluate, data)[1]
            assert accuracy is not None
            return accuracy
        outputs = self.schema.values(self._answer(self._outputs, data.prepared))
        return linalg.mean([linalg.r_squared(*columns) for columns in zip(zip(*outputs), zip(*data.targets))])

    @staticmethod
    def get_accuracy(predictions: Any, y: Any) -> float:
        """The percentage (0 to 100) of predictions that equal the labels ``y``; of multi-label ones, as whole rows."""
        labels, guesses = as_answers(y, predictions)
        if not labels or len(labels) != len(guesses):
            raise DataError(
                f"accuracy needs as many predictions as labels, and at least one: got {len(guesses)} and {len(labels)}"
            )
        return 100.0 * sum(bool(a == b) for a, b in zip(guesses, labels)) / len(labels)

    # --- files ---------------------------------------------------------------------------------------------

    @asking
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all. Raises ``OSError`` if the place cannot be written."""
        loss_name = next((name for name, kind in LOSSES.items() if type(self.loss) is kind), None)
        if loss_name is None:
            raise ArgumentError(f"only a model with a loss of scratchnn can be saved, this one has {self.loss!r}")
        description = {
            "layers": [layer_to_plain(layer) for layer in self.network],
            "loss": loss_name,
            **self.schema.to_plain(),
            "weights": [records.pack_matrix(self.ops.to_rows(p.value)) for p in self.network.parameters()],
            "seed": self.seed,
            "frozen": frozen_layers(self.network),
        }
        # What could not be read again is not written, least of all over what can.
        try:
            check_description(description, own_layers([type(layer) for layer in self.network.in_line()]))
            check_fit(self.network, description)
        except ValueError as error:
            raise ArgumentError(f"this model cannot be saved: {error}") from None
        records.save(path, description)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        engine: Any = DEFAULT_ENGINE,
        max_work: int | None = None,
        layers: Sequence[type[Layer]] = (),
    ) -> Model:
        """The model that ``save`` wrote; ``ModelFileError`` says in one line what is wrong with a file.

        Nothing in the file is run or imported, whoever wrote it; it holds plain data, all of which are checked.
        ``max_work`` is how many multiply-adds the prediction for one row may take. If it is not given, it is 67 million
        and 2 048 for each byte of weights: few networks need more, but a small file can describe one that never ends.
        ``layers`` are classes of your own that the file may name: they are called with the arguments in the file, which
        are plain data and otherwise anything, so their constructors have to look at them.
        """
        find_engine(engine)
        own = own_layers(layers)
        if max_work is not None:
            max_work = require_size("max_work", max_work)
        version, description = records.load_with_version(path)
        try:
            return cls._from_description(brought_up_to_date(description, version), engine, max_work, own)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            start = f"{shown_path(path)}: the parts of this model do not fit together: "
            raise ModelFileError(start + shortened(" ".join(str(error).split()), MESSAGE - len(start))) from None

    @classmethod
    def _from_description(
        cls, description: Any, engine: Any, max_work: int | None, own: Mapping[str, type[Layer]]
    ) -> Model:
        check_description(description, own)
        plain = description["layers"]
        network = Sequential([layer_from_plain(layer, own) for layer in plain])
        if [layer_to_plain(layer) for layer in network] != plain:
            raise ValueError("the arguments of the layers are not written as save writes them")
        check_fit(network, description)  # before there are weights: sizes are believed where there are numbers for them
        check_work(network, description, max_work)
        shape = tuple(description["input_shape"])
        loss, task = LOSSES[description["loss"]](), description["task"]
        check_loss(network, loss, task, width(network.output_shape(shape)))
        model = cls.__new__(cls)
        kinds = description["scaling_kind"], description["target_scaling_kind"]
        model._assemble(network, loss, task, shape, *kinds, engine, description["seed"], drawn=False)
        layers = list(network.walk())
        for position in description["frozen"]:
            layers[position].trainable = False
        packed = description.pop("weights")[::-1]
        for parameter in network.parameters():
            parameter.value = model.ops.from_rows(records.unpack_matrix(packed.pop()))  # one at a time: less memory
        model.schema = Schema.from_plain(description, model.output_size)
        network.eval()
        return model
