"""``Model``: a network, its loss, and what it knows of its data, with fit, predict, score, save and load.

It introduces them to each other: a ``Schema`` knows the data, a ``Trainer`` the loop, an engine the numbers, ``layers``
and ``losses`` the mathematics, ``records`` files.
"""

from __future__ import annotations

import os
from random import Random

from . import defaults, linalg
from .checks import MESSAGE, chosen, require_known, require_seed, require_size, shortened, shown, shown_path
from .engines.finding import DEFAULT_ENGINE, find_engine
from .errors import ArgumentError, DataError, ModelFileError
from .inference import Inference, Labelled
from .layers.architecture import (
    find_activation,
    find_input_shape,
    frozen_layers,
    gives_any_number,
    hidden_sizes,
    own_layers,
    perceptron,
    scaling_for,
    summary,
)
from .layers.base import Layer, Sequential, Shape, width
from .layers.linear import Dropout
from .layers.weights import parameter_count, set_weights, weights_of
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
from .preprocessing.scaling import Scaling
from .preprocessing.schema import Rows, Schema
from .saving import model_format, records
from .turns import Turns, asking, changing

TYPE_CHECKING = False
if TYPE_CHECKING:  # what only learning needs is imported by ``fit``: predicting starts the sooner
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .optim import Optimizer, Schedule
    from .preprocessing.labels import Label
    from .training.callbacks import History
    from .training.fitting import Part

# What a model keeps when its network is made anew for the number of outputs that the first labels need.
_KEPT = ("_history", "stop_training", "turns", "_part", "run_settings")


def _known(name: str, text: str, as_type: Callable[[Any], Any] = lambda value: value) -> Any:
    """What the schema says, as something that a model says."""
    return property(lambda model: as_type(getattr(model.schema, name)), doc=text)


class Model:
    """A multilayer perceptron, or with ``from_layers`` any stack of layers.

    ``input_size`` features go through one hidden layer of ``hidden_size`` units, or several if it is a list (none if
    that is empty), to ``output_size`` outputs: one a class, or one a number to be predicted. A classifier with one
    output tells two classes apart. Not given, it is read off ``y`` by the first fit, until which there are 10 outputs
    (one for regression); setting ``weights`` before settles it.

    Keyword arguments: ``activation`` (relu, leaky_relu, tanh, sigmoid, gelu, silu, elu, softplus; or a layer such as
    ``LeakyReLU(0.2)``), ``dropout`` (rate after each hidden layer), ``init`` ("auto": he after a ReLU and its relatives
    unless the layer widens, and xavier otherwise; or as in ``Linear``), ``task`` ("classification", "regression" or
    "multilabel"), ``scaling`` (of features, see ``preprocessing.Scaling``), ``target_scaling`` (see below), ``engine``
    (what computes), ``seed`` (same seed, same data: same result to the last bit). Raises ``ValueError`` for an argument
    that makes no sense.

    Regression learns standardised targets, each column with mean 0 and deviation 1, and turns what it predicts back:
    predictions, losses and scores are in the unit of the targets as they were given. ``target_scaling`` "auto" does
    so for the mean squared error, where the network ends in a linear layer (one that ends in a sigmoid can give no
    others than it was given); targets that are the rows themselves, an autoencoder's, are scaled as those are.
    "standard" does so in any case, "none" leaves targets alone.

    Task "multilabel" is for rows with any number of labels: ``y`` has a row of 0 and 1 for each, and so has what is
    predicted; probabilities are those of each label by itself, and a row counts as right if all of its labels are.

    A model has its layers in ``network`` (a ``Sequential``), its ``loss`` and ``task``, after ``fit`` its ``classes``
    in the order of the outputs, the ``history``, ``run_settings`` (what the last run was asked to do), and
    ``weights``, which can be set as well. All that it knows of its data is in ``schema``. A callback that sets
    ``stop_training`` ends a run.
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
    classes = _known("classes", "The classes in the order of the outputs; [] before data, and for other tasks.", list)
    feature_names = _known("feature_names", "The names of the columns that were learned from; [] if none.", list)

    _part: Part | None = None  # the last one that ``partial_fit`` was given
    _open: dict[str, Any] | None = None  # what it was made with, until the first labels tell how many outputs there are

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
        seed: int | None = 0,
    ) -> None:
        given = {"activation": activation, "dropout": dropout, "init": init, "engine": engine}
        pattern = find_activation(activation)
        require_known("task", task, model_format.TASKS)
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

    def _settled(self, labels: Any) -> tuple[Model, Any]:
        """(this model, or one with as many outputs as the labels need if nobody has said how many; the labels)."""
        if self._open is None or self.schema.scaling is not None or not hasattr(labels, "__iter__"):
            return self, labels
        labels = labels if hasattr(labels, "__len__") else list(labels)
        count = outputs_for(labels, self.task == "classification")
        if count in (0, self.output_size):
            return self, labels
        before = self.schema
        engine = self._open["engine"] if isinstance(self._open["engine"], str) else self.inference.engine
        model = Model(
            **{**self._open, "engine": engine},
            output_size=count,
            task=self.task,
            scaling=before.scaling_kind,
            target_scaling=before.target_scaling_kind,
            seed=self.seed,
        )
        model.schema, model.loss = before._replace(output_size=count), self.loss
        layers = list(model.network.walk())
        for place in frozen_layers(self.network):
            layers[place].trainable = False
        return model, labels

    def become(self, settled: Model, schema: Schema, part: Part | None) -> None:
        """What a run begins with: the network of ``settled``, which may be this model, and what its data are like."""
        if settled is not self:
            kept = {name: vars(self)[name] for name in _KEPT}
            vars(self).update({**vars(settled), **kept})
        self._open = None
        self.schema, self._part = schema, part

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

        ``loss`` is a loss, its class or its name (cross_entropy, nll, bce, bce_with_logits, mse, l1, huber, kl_div).
        ``input_shape`` is the number of features or (channels, height, width); it is read off the first Linear if not
        given. ``task`` follows from the loss if not given: classification for cross-entropy and NLL, and for binary
        cross-entropy on a single output; multilabel for ``bce_with_logits`` on several.
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
        shape = find_input_shape(network, input_shape)
        outputs = width(network.output_shape(shape))
        if task is None:
            binary = isinstance(loss, (BCELoss, BCEWithLogitsLoss)) and outputs == 1
            task = "classification" if binary else loss.task
            if isinstance(loss, BCEWithLogitsLoss) and outputs > 1:
                task = "multilabel"
        require_known("task", task, model_format.TASKS)
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
        model_format.check_sizes(network, shape)
        # While it learns, its network may be on an engine that suits the data.
        weights = sum(rows * columns for rows, columns in network.parameter_shapes()) if len(shape) == 1 else None
        found = find_engine(engine, network.longest_row(shape), weights)
        self.inference = Inference(network, found, shape)
        require_known("scaling", scaling, Scaling.KINDS)
        scaling = scaling_for(network, scaling)
        require_known("target_scaling", target_scaling, Scaling.TARGET_KINDS)
        if target_scaling == "standard" and not (task == "regression" and type(loss) is MSELoss):
            raise ArgumentError(f"target_scaling 'standard' is for regression with MSELoss, not for {loss!r}")
        seed = require_seed(seed)
        self.schema = Schema(task, shape, outputs, scaling, target_scaling)
        self._history: History | None = None  # of the last fit
        self.run_settings: dict[str, Any] = {}  # what that was asked to do, each said by its ``str``
        self.stop_training = False
        self.turns = Turns()
        self._part = None
        # Weights have a generator of their own, so that they do not depend on how often rows were shuffled.
        self._weight_rng = Random() if seed is None else Random(f"weights {seed}")
        network.build(shape)
        network.initialise(self._weight_rng if drawn else None)
        network.use(self.inference.engine)
        for layer in network.walk():
            layer.in_model = True
        self.reseed(seed)

    @changing
    def reseed(self, seed: int | None) -> None:
        """From here on draw the order of rows, and what Dropout layers drop, from this seed; weights stay."""
        self.seed = seed = require_seed(seed)
        self.order_rng = Random() if seed is None else Random(f"order {seed}")
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
    def engine(self) -> str:
        """The name of the number engine that computes."""
        return str(self.ops.name)

    @property
    def ops(self) -> Any:
        """That engine."""
        return self.network.ops

    @property
    def parameter_count(self) -> int:
        """How many numbers there are in all weights, those of frozen layers too."""
        return parameter_count(self.network)

    @property
    def weights(self) -> list[Any]:
        """A copy of all parameters in the order of the layers: weights as lists of rows, biases as lists of numbers."""
        return weights_of(self.network)

    @weights.setter
    @changing
    def weights(self, values: Sequence[Any]) -> None:
        set_weights(self.network, values)
        self._open = None

    def summary(self) -> str:
        """A table as text: each layer, its output shape and its number of parameters."""
        return summary(self.network, self.input_shape)

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the layers."""
        from .reports.report import described

        return described(self)

    def __repr__(self) -> str:
        return f"Model({self.network!r}, loss={self.loss!r}, task={self.task!r}, engine={self.engine!r})"

    @property
    def standardises(self) -> bool:
        """Whether outputs may stand for standardised targets."""
        return self.task == "regression" and type(self.loss) is MSELoss and gives_any_number(self.network)

    @property
    def fitted_loss(self) -> Loss:
        """The loss as it is computed: on targets as they were given, and outputs that stand for standardised ones."""
        return fitted_loss(self.loss, self.target_scaling)

    def training_batch(self, X: Any, y: Any) -> tuple[Rows, list[Any]]:
        """(inputs, targets) as the network and the loss see them when they are fitted to raw rows and labels."""
        return self.schema.training_batch(X, y, self.standardises)

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
        weight_decay: float | None = None,
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
        workers: int | None = None,
        executor: Any = None,
    ) -> History:
        """Train on rows ``X`` (samples x features) and labels ``y`` (one a row), and return the ``History``.

        A second call goes on from the weights of the first, with the scaling and the classes learned then.

        What is not given is the recommended, the same as on the command line (``scratchnn.defaults`` has the numbers):
        ``lr`` is 0.1 for SGD and 0.001 for Adam, ``momentum`` 0.9 for SGD (0 is none), ``weight_decay`` 0 (0.01 for
        AdamW), and an optimizer object keeps its own, with its rate set to ``lr`` if that is given. ``optimizer`` may
        be "sgd", "adagrad", "rmsprop", "adam" or "adamw". ``schedule`` is a cosine over the ``epochs`` asked for
        (None: the rate stays). ``batch_size`` is 32, on fewer than 320 rows a tenth of them and at least 8 (None: all
        rows at once, full-batch gradient descent). ``clip_norm`` is 1 for the mean squared error of standardised
        targets and for more than 4 layers with weights (None: gradients are left as they are).

        Every call is a run of its own: momentum starts at 0 and the schedule at its first rate, so a second call goes
        back up to it. A run of one epoch keeps its rate. A schedule falls over the epochs asked for, also where
        ``EarlyStopping`` ends it before.

        ``validation_data`` is a pair (X, y) that is measured after every epoch; ``validation_split`` sets that fraction
        of the rows aside for it, drawn with the model's seed and with every class in proportion. ``optimizer`` and
        ``schedule`` ("cosine", "step", "plateau", "warmup", "onecycle") may be names, classes or objects.
        ``sample_weight`` is one number a row, ``class_weight`` a dict of class: weight (1 for those left out) or
        "balanced": a class's weight is then the smaller, the more rows it has. Weights are 1 on average. As a few heavy
        rows would act as a larger learning rate, steps are shorter the more weights differ, about 1 / (mean w²) times
        as long (see ``weighting.step_share``). ``columns`` names the columns of ``X`` for a model that has not been
        fitted yet: a ``Dataset`` from a file, or a list of names (a DataFrame brings its own). ``show_training_info``
        shows progress on standard error, a line every ``eval`` epochs (not given: every epoch, and on a terminal about
        30 in all); ``verbose=1`` does the same, ``verbose=2`` has no live line. The model keeps the history as
        ``model.history``.

        ``checkpoint`` is a file that says where the run stands, after every epoch and every ``checkpoint_every``
        batches; with ``resume=True`` a run that was stopped or killed goes on from there (or starts, if there is no
        such file), and ends with the same weights to the last bit as one that never stopped. Other data or settings
        are refused; but a run may be asked for more ``epochs`` than before: a schedule that suits the epochs is then
        stretched to them; and it may go on on another engine, with that engine's rounding from there on. Ctrl-C then
        waits for the end of the batch, writes the checkpoint, and goes on up as
        ``KeyboardInterrupt``; with ``stop_on_sigterm=True`` SIGTERM does the same, as ``SystemExit``; a second one does
        not wait. Where a checkpoint cannot be written, a ``RuntimeWarning`` says so and the run goes on.

        ``workers`` is how many processes are to train together, this one among them, to the same weights to the last
        bit as one alone; for ``engine="lanes"``, and large networks and batches. The others are started as
        ``multiprocessing`` is set to, or by ``executor``, any that runs (``concurrent.futures``, loky, Dask's
        ``client.get_executor()``, ``MPIPoolExecutor``), for as long as the fit takes. One that is lost is named in a
        ``RuntimeWarning``, and the run goes on without it. Raises ``DataError`` for data that cannot be learned from,
        ``ValueError`` for other arguments, ``WorkerError`` for workers that do not begin.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        from .training.fitting import Fitting

        settled, given["y"] = self._settled(y)
        return Fitting(self, settled, settled.schema, given).run()

    @changing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, **settings: Any) -> History:
        """Train one epoch on rows that are a part of all: call it again with the next part.

        A classifier that has not been fitted yet is told all its ``classes`` here if the first rows do not have each;
        later calls may repeat them. Scaling is learned from the rows of the first call. ``settings`` are those of
        ``fit`` but for what is about a whole run (epochs, schedule, checkpoints). Momentum goes on from call to call as
        long as the optimizer's settings stay the same; ``fit`` does not take it up. Errors are those of ``fit``.
        """
        whole = (
            "epochs",
            "schedule",
            "checkpoint",
            "checkpoint_every",
            "resume",
            "stop_on_sigterm",
            "workers",
            "executor",
        )
        odd = [name for name in whole if name in settings]
        if odd:
            raise ArgumentError(f"{' and '.join(odd)}: partial_fit trains one epoch on a part of the rows, use fit")
        usual: Mapping[str, Any] = Model.fit.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
        unknown = [name for name in settings if name not in usual]
        if unknown:
            raise TypeError(f"partial_fit() got an unexpected keyword argument {unknown[0]!r}")
        from .training.fitting import Fitting, Part

        settled, counted = self._settled(y if classes is None else classes)
        schema = settled.schema
        if classes is None:
            y = counted
        elif self.task != "classification":
            raise ArgumentError(f"classes are for a classifier, this model does {self.task}")
        else:
            schema = schema.told_classes(as_labels(counted, "classes"))
        given = {**usual, **settings, "X": X, "y": y, "epochs": 1, "schedule": None}
        return Fitting(self, settled, schema, given, Part(self._part, given, settled.network)).run()

    # --- using it ------------------------------------------------------------------------------------------

    def _outputs(self, questions: Any) -> Rows:
        """What the network gives for rows that somebody asks about; ``DataError`` if numbers run away on the way."""
        try:
            return self.inference.outputs(questions, self.turns.mine())
        except OverflowError as error:
            raise DataError(f"X cannot be computed with: {error}") from None

    def _outputs_for(self, X: Any) -> Rows:
        self.schema.require_learned()
        return self._outputs(self.inference.questions(*self.schema.inputs(self.schema.rows(X))))

    @asking
    def predict(self, X: Any) -> list[Any]:
        """For each row of ``X`` (samples x features, raw) its class as given in training; for regression its value (a
        number, or a list where the model has several outputs). ``NotFittedError`` before ``fit``."""
        return self.schema.answers(self._outputs_for(X), self.loss)

    @asking
    def predict_proba(self, X: Any) -> Rows:
        """For each row of ``X`` the probability of every class, in the order of ``classes``; of a multi-label model
        that of every label, each by itself."""
        return self.schema.probabilities(self._outputs_for(X), self.loss)

    @asking
    def predict_with_proba(self, X: Any) -> tuple[list[Any], Rows]:
        """What ``predict`` and ``predict_proba`` give, with the network run once."""
        outputs = self._outputs_for(X)
        return self.schema.answers(outputs, self.loss), self.schema.probabilities(outputs, self.loss)

    def measured(self, data: Labelled) -> tuple[float, float | None]:
        """(mean loss, accuracy or None) on rows that were checked; ``OverflowError`` if numbers run away."""
        outputs = self.inference.outputs(data.questions, self.turns.mine())
        correct = self.schema.count_correct(outputs, data.targets, self.loss)
        return self.fitted_loss.forward(outputs, data.targets), None if correct is None else correct / len(outputs)

    @asking
    def evaluate(self, X: Any, y: Any) -> tuple[float, float | None]:
        """(mean loss, accuracy as a fraction) on rows and labels; the accuracy is None for regression, and the mean
        squared error is that of what ``predict`` gives."""
        try:
            return self.measured(self.inference.labelled(self.schema, X, y))
        except OverflowError as error:
            raise DataError(f"X cannot be computed with: {error}") from None

    @asking
    def score(self, X: Any, y: Any) -> float:
        """The fraction of rows classified rightly (all labels of a row, of a multi-label model); for regression
        R² = 1 - residual / total sum of squares, of several outputs the mean of their R²."""
        data = self.inference.labelled(self.schema, X, y)
        outputs = self._outputs(data.questions)
        correct = self.schema.count_correct(outputs, data.targets, self.loss)
        if correct is not None:
            return correct / len(outputs)
        values = self.schema.values(outputs)
        return linalg.mean([linalg.r_squared(*columns) for columns in zip(zip(*values), zip(*data.targets))])

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
    def report(
        self,
        X: Any,
        y: Any,
        path: str | os.PathLike[str],
        *,
        title: str = "",
        shape: Sequence[int] | None = None,
        command: str = "",
    ) -> None:
        """Write an HTML page on this model and its answers for rows ``X`` and labels ``y``, to read, send or print.

        It says what was trained and how, with curves of the last ``fit``, metrics, the confusion matrix or predicted
        against true values, the most confident mistakes, and a digest of the weights by which a repeated run is known.
        The page is one file that loads nothing and runs no script. ``shape`` (height, width), or with channels first,
        says that rows are images; not given, it is found out for models that read images or square rows of pixels.
        ``command`` is what repeats the run, to be shown. A model that was loaded has no curves to show.

        Raises ``DataError`` for rows and labels that do not suit the model, ``ArgumentError`` for a shape that they do
        not have or a path that promises another kind of file, ``NotFittedError`` before ``fit``, and ``OSError`` if the
        file cannot be written: it is whole, or as it was.
        """
        from .reports.report import write_report

        write_report(self, X, y, path, title=title, shape=shape, command=command)

    @asking
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all. Raises ``OSError`` if the place cannot be written."""
        # What could not be read again is not written, least of all over what can.
        records.save(path, model_format.described(self.network, self.loss, self.schema, self.seed))

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
            return cls._from_description(model_format.brought_up_to_date(description, version), engine, max_work, own)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            start = f"{shown_path(path)}: the parts of this model do not fit together: "
            raise ModelFileError(start + shortened(" ".join(str(error).split()), MESSAGE - len(start))) from None

    @classmethod
    def _from_description(
        cls, description: Any, engine: Any, max_work: int | None, own: Mapping[str, type[Layer]]
    ) -> Model:
        network, loss = model_format.network_of(description, own, max_work)
        task, shape = description["task"], tuple(description["input_shape"])
        model = cls.__new__(cls)
        kinds = description["scaling_kind"], description["target_scaling_kind"]
        model._assemble(network, loss, task, shape, *kinds, engine, description["seed"], drawn=False)
        model_format.fill(network, description)
        model.schema = Schema.from_plain(description, model.output_size)
        network.eval()
        return model
