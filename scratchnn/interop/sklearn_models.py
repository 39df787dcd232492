"""Networks from scikit-learn's multilayer perceptrons, and back: what was trained on one side predicts on the other.

Both sides compute the same: x·W + b, one activation throughout, a softmax, a logistic function or nothing at the end.
scikit-learn scales in a step before the network, and targets around it; a ``Model`` does both itself, as one
standardisation (x - mean) / deviation, which is what every scaler comes to that shifts and stretches.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..checks import shown
from ..engines.finding import DEFAULT_ENGINE
from ..errors import ArgumentError
from ..layers.activations import LogSoftmax, ReLU, Sigmoid, Tanh
from ..layers.base import Layer, Sequential
from ..layers.convolution import Flatten
from ..layers.linear import Dropout, Linear
from ..losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, KLDivLoss, NLLLoss
from ..model import Model
from ..preprocessing.scaling import Scaling
from ..turns import asking
from .making import fitted_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rows = list[list[float]]

ACTIVATIONS: dict[str, type[Layer] | None] = {"identity": None, "relu": ReLU, "tanh": Tanh, "logistic": Sigmoid}
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


# --- from scikit-learn -------------------------------------------------------------------------------------------


def from_sklearn(estimator: Any, *, engine: Any = DEFAULT_ENGINE, seed: int | None = 0) -> Model:
    """A fitted ``Model`` that predicts what a fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn does.

    The estimator may also stand at the end of a ``Pipeline`` behind scalers that shift and stretch each column
    (``StandardScaler``, ``MinMaxScaler`` and ``MaxAbsScaler`` that do not clip, ``RobustScaler``), which become the
    model's ``scaling``, and in a ``TransformedTargetRegressor`` with such a scaler, which becomes ``target_scaling``. A
    ``ScratchClassifier`` or ``ScratchRegressor`` gives its model, with the seed of that. Weights, classes and names of
    features are kept, to the last bit on ``engine="linalg"``; what was set for training (solver, rates, momenta) is
    not. A probability of exactly 0.5 is a yes here and a no there, where one output tells two classes or one label
    apart.

    Raises ``ArgumentError``, naming the step or the class, for what is not fitted or cannot be expressed.
    """
    found = _Found(estimator)
    network, scaling, of_targets = found.network, found.scaling, found.target_scaling
    if isinstance(getattr(network, "model_", None), Model):
        return _rescaled(network.model_, scaling, of_targets, found.feature_names, engine)
    task, loss, classes = _purpose(network)
    return fitted_model(
        _layers(network),
        task=task,
        loss=loss,
        input_shape=int(network.coefs_[0].shape[0]),
        classes=classes,
        scaling=scaling.learned(),
        target_scaling=of_targets.learned(),
        feature_names=found.feature_names,
        engine=engine,
        seed=seed,
    )


class _Affine:
    """(x - mean) / deviation in each column; without any, x itself."""

    def __init__(self, means: Sequence[float] = (), deviations: Sequence[float] = ()) -> None:
        self.means, self.deviations = list(means), list(deviations)

    def then(self, other: _Affine) -> _Affine:
        """Both, one after the other."""
        if not self.means or not other.means:
            return other if other.means else self
        pairs = list(zip(self.means, self.deviations, other.means, other.deviations))
        return _Affine([m + d * n for m, d, n, _ in pairs], [d * e for _, d, _, e in pairs])

    def learned(self) -> Scaling:
        return Scaling("standard", self.means, self.deviations) if self.means else Scaling("none")

    @classmethod
    def of(cls, scaling: Scaling, columns: int) -> _Affine:
        if scaling.kind == "none":
            return cls()
        return cls(scaling.means or [0.0] * columns, scaling.units(columns))


class _Found:
    """What is in an estimator: its ``network``, and what is done to features and targets around it."""

    def __init__(self, estimator: Any) -> None:
        self.scaling, self.target_scaling = _Affine(), _Affine()
        self.feature_names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
        self.network = self._entered(estimator, "the estimator")

    def _entered(self, estimator: Any, where: str) -> Any:
        """The network in ``estimator``; what stands before it and around it is noted on the way."""
        kind = type(estimator).__name__
        if _is(estimator, "Pipeline"):
            return self._through(estimator.steps)
        if _is(estimator, "TransformedTargetRegressor"):
            if not hasattr(estimator, "regressor_"):
                raise ArgumentError(f"{where}, a {kind}, has not been fitted: call its fit first")
            around = _scaler(estimator.transformer_, f"the transformer of {kind}")
            self.target_scaling = self.target_scaling.then(around)
            return self._entered(estimator.regressor_, f"the regressor of {kind}")
        if isinstance(getattr(estimator, "model_", None), Model):
            return estimator
        if not _is(estimator, "MLPClassifier", "MLPRegressor", "ScratchClassifier", "ScratchRegressor"):
            raise ArgumentError(
                f"{where} is to be an MLPClassifier or MLPRegressor of scikit-learn, or a Pipeline that ends in one, "
                f"got {_kind(estimator)}"
            )
        if not hasattr(estimator, "coefs_"):
            raise ArgumentError(f"{where}, {_kind(estimator)}, has not been fitted: call its fit first")
        return estimator

    def _through(self, steps: Sequence[tuple[str, Any]]) -> Any:
        for name, step in steps[:-1]:
            where = f"step {shown(name)}"
            scalers = step.steps if _is(step, "Pipeline") else [(name, step)]
            for inner, scaler in scalers:
                place = where if scaler is step else f"{where}, {shown(inner)}"
                self.scaling = self.scaling.then(_scaler(scaler, place))
        name, last = steps[-1]
        return self._entered(last, f"step {shown(name)}")


def _is(estimator: Any, *names: str) -> bool:
    """Whether its class, or one that this is derived from, has one of these names and is scikit-learn's or of here.
    (Whoever has an object of it has scikit-learn: there is no need to import it.)"""
    of = type(estimator).__mro__
    return any(kind.__name__ in names and kind.__module__.split(".")[0] in ("sklearn", "scratchnn") for kind in of)


def _kind(estimator: Any) -> str:
    return shown(estimator) if isinstance(estimator, (str, type)) else f"a {type(estimator).__name__}"


def _scaler(step: Any, where: str) -> _Affine:
    """What a fitted scaler does to each column."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return _Affine()
    kind = type(step).__name__
    if kind not in _SCALERS or not type(step).__module__.startswith("sklearn."):
        known = ", ".join(_SCALERS)
        raise ArgumentError(f"{where} is {_kind(step)}, which a Model cannot do before its network: it can do {known}")
    if not hasattr(step, "n_features_in_"):
        raise ArgumentError(f"{where}, a {kind}, has not been fitted: call its fit first")
    if getattr(step, "clip", False):
        raise ArgumentError(f"{where} is a {kind} with clip=True, which a Model cannot do: fit one that does not clip")
    columns = int(step.n_features_in_)
    scale = getattr(step, "scale_", None)
    factors = [1.0] * columns if scale is None else [float(v) for v in scale]
    if kind == "MinMaxScaler":  # x · scale + min
        return _Affine([-float(v) / f for v, f in zip(step.min_, factors)], [1.0 / f for f in factors])
    centre = getattr(step, "center_" if kind == "RobustScaler" else "mean_", None)
    if centre is None or not getattr(step, "with_centering", True) or not getattr(step, "with_mean", True):
        centre = [0.0] * columns
    return _Affine([float(v) for v in centre], factors)


def _purpose(network: Any) -> tuple[str, str, list[Any]]:
    """(task, loss, classes) of a multilayer perceptron of scikit-learn."""
    ending = network.out_activation_
    if _is(network, "MLPRegressor"):
        if ending != "identity":
            raise ArgumentError(f"the outputs of this MLPRegressor go through {ending!r}, for which there is no layer")
        return "regression", "mse", []
    if ending == "softmax":
        return "classification", "cross_entropy", network.classes_.tolist()
    if network.n_outputs_ > 1:
        return "multilabel", "bce_with_logits", []
    return "classification", "bce_with_logits", network.classes_.tolist()


def _layers(network: Any) -> list[Layer]:
    activation, layers = ACTIVATIONS.get(network.activation, Linear), []  # type: Any, list[Layer]
    if activation is Linear:
        raise ArgumentError(f"unknown activation {shown(network.activation)} of a {type(network).__name__}")
    for weight, bias in zip(network.coefs_, network.intercepts_):
        linear = Linear(*map(int, weight.shape), init="xavier")
        linear.weight.value, linear.bias.value = weight.tolist(), [bias.tolist()]
        layers += [linear] if activation is None else [linear, activation()]
    return layers if activation is None else layers[:-1]


@asking
def _rescaled(model: Model, before: _Affine, around: _Affine, feature_names: list[str], engine: Any) -> Model:
    """A copy of a model, on this engine, with scalings before and around its own."""
    schema = model.schema
    own = _Affine.of(schema.require_learned(), schema.width)
    of_targets = _Affine.of(schema.target_scaling or Scaling("none"), schema.output_size)
    names = feature_names or ([] if before.means else list(schema.feature_names))
    network: Any = model.network.copy()
    return fitted_model(
        network.layers,
        task=model.task,
        loss=model.loss,
        input_shape=model.input_shape,
        classes=model.classes,
        scaling=before.then(own).learned() if before.means else schema.scaling,
        target_scaling=around.then(of_targets).learned() if around.means else schema.target_scaling,
        feature_names=names,
        label_name=model.label_name,
        engine=engine,
        seed=model.seed,
    )


# --- to scikit-learn ---------------------------------------------------------------------------------------------


def to_sklearn(model: Model) -> Any:
    """A fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn that predicts what ``model`` does.

    Where the model scales its features, it is a ``Pipeline`` of a ``StandardScaler`` and that. The network has to be
    ``Linear`` layers with one and the same of ReLU, Tanh, Sigmoid or nothing after each but the last; ``Dropout`` and
    ``Flatten`` may be there, which do nothing when predicting. What standardised targets need goes into the last
    weights. Two outputs with cross-entropy become the single one that scikit-learn has for two classes, their
    difference. Weights, classes, and names of features are kept; the loss, dropout, frozen layers, and the history are
    not. Predictions are the same to 1e-12 where the model computes in float64 (``engine="linalg"``).

    Raises ``ArgumentError``, naming the layer, for a network that scikit-learn cannot have, and where scikit-learn is
    not installed; ``NotFittedError`` for a model that is not fitted, ``ModelBusyError`` for one that is learning in
    another thread.
    """
    if not isinstance(model, Model):
        inside = isinstance(getattr(model, "model_", None), Model)
        raise ArgumentError(f"to_sklearn takes a Model, got {_kind(model)}{': hand over its model_' * inside}")
    try:
        import sklearn.neural_network as networks  # type: ignore[import-untyped, import-not-found, unused-ignore]
        from sklearn.pipeline import Pipeline  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise ArgumentError(
            "to_sklearn needs scikit-learn, which is not installed: python -m pip install scikit-learn"
        ) from None
    return _as_sklearn(model, networks, Pipeline)


@asking
def _as_sklearn(model: Model, networks: Any, pipeline: Any) -> Any:
    scaling = model.schema.require_learned()
    weights, activation = _dense(model)
    made = networks.MLPClassifier if model.task != "regression" else networks.MLPRegressor
    hidden = tuple(len(bias) for _, bias in weights[:-1])
    network = made(hidden_layer_sizes=hidden, activation=activation, random_state=0)
    if model.task == "regression":
        weights[-1] = _in_targets_unit(*weights[-1], model)
        _fill(network, weights, [[0.0] * model.output_size] if model.output_size > 1 else [0.0])
    elif model.task == "multilabel":
        _fill(network, weights, [[0] * model.output_size, [1] * model.output_size], range(model.output_size))
    else:
        classes = sorted(model.classes)
        weights[-1] = _in_order(*weights[-1], model.classes)
        _fill(network, weights, classes[:1], classes)
    scaler = None if scaling.kind == "none" else _standard_scaler(_Affine.of(scaling, model.input_size))
    if model.feature_names:
        import numpy as np  # type: ignore[import-not-found, unused-ignore]

        (scaler or network).feature_names_in_ = np.array(model.feature_names, dtype=object)
    return network if scaler is None else pipeline([("scaler", scaler), ("network", network)])


def _flat(layers: Any) -> Iterator[Layer]:
    """Layers in a row, those of plain Sequentials (which a Residual is not) instead of these."""
    for layer in layers:
        if type(layer) is Sequential:
            yield from _flat(layer)
        else:
            yield layer


def _dense(model: Model) -> tuple[list[tuple[Rows, list[float]]], str]:
    """([(weight, bias) of each Linear], the name of the activation between them); ``ArgumentError`` names the layer
    that does not fit."""
    weights: list[tuple[Rows, list[float]]] = []
    after: list[tuple[int, str, Layer | None]] = []  # for each Linear, what follows it: (position, name, layer)
    names = {kind: name for name, kind in ACTIVATIONS.items()}
    for number, layer in enumerate(_flat(model.network)):
        known = names.get(type(layer), "log_softmax" if type(layer) is LogSoftmax else None)
        if type(layer) is Linear:
            weight, bias = (layer.ops.to_rows(parameter.value) for parameter in layer.parameters())
            weights.append(([list(row) for row in weight], list(bias[0])))
            after.append((number, "identity", layer))
        elif type(layer) in (Dropout, Flatten):
            continue
        elif known is not None and after and after[-1][1] == "identity":
            after[-1] = number, known, layer
        else:
            raise _does_not_fit(number, layer, "Linear layers with one activation after each but the last")
    if not weights:
        raise ArgumentError("this network has no Linear layer, as scikit-learn's networks have")
    _check_ending(model, *after[-1])
    activation = after[0][1] if len(after) > 1 else "relu"
    for number, name, last in after[:-1]:
        if name != activation or name not in ACTIVATIONS:
            raise _does_not_fit(number, last, f"one activation throughout, and the first here is {activation!r}")
    return weights, activation


def _does_not_fit(number: int, layer: Any, expected: str) -> ArgumentError:
    return ArgumentError(f"layer {number}, {type(layer).__name__}: a network of scikit-learn has {expected}")


def _check_ending(model: Model, number: int, name: str, layer: Any) -> None:
    """``ArgumentError`` unless outputs become answers as in scikit-learn."""
    kind = type(model.loss)
    if model.task == "regression":
        fine = name == "identity"
    elif kind in (NLLLoss, KLDivLoss):
        fine = name == "log_softmax"
    elif kind is CrossEntropyLoss:
        fine = name in ("identity", "log_softmax")
    else:
        fine = (kind, name) in ((BCEWithLogitsLoss, "identity"), (BCELoss, "logistic"))
    if not fine:
        raise _does_not_fit(number, layer, f"no such end: for {model.task} with {model.loss!r} it cannot be expressed")


def _in_targets_unit(weight: Rows, bias: list[float], model: Model) -> tuple[Rows, list[float]]:
    """The last Linear, so that its outputs are in the unit of the targets."""
    scaling = model.target_scaling or Scaling("none")
    centres, units = scaling.undo([[0.0] * len(bias)])[0], scaling.units(len(bias))
    stretched = [[w * unit for w, unit in zip(row, units)] for row in weight]
    return stretched, [b * unit + centre for b, unit, centre in zip(bias, units, centres)]


def _in_order(weight: Rows, bias: list[float], classes: list[Any]) -> tuple[Rows, list[float]]:
    """The last Linear with its outputs in the order of sorted classes, and of two classes the second one's alone."""
    order = sorted(range(len(classes)), key=lambda k: classes[k])
    if len(bias) == 1:  # it speaks for the second class of the model
        sign = 1.0 if order == [0, 1] else -1.0
        return [[sign * w for w in row] for row in weight], [sign * b for b in bias]
    if len(classes) == 2:
        no, yes = order
        return [[row[yes] - row[no]] for row in weight], [bias[yes] - bias[no]]
    taken: Any = itemgetter(*order)
    return [list(taken(row)) for row in weight], list(taken(bias))


def _fill(network: Any, weights: list[tuple[Rows, list[float]]], y: Any, classes: Any = None) -> None:
    """Make ``network`` one that was fitted, to these weights: scikit-learn itself takes a step on rows of zeros with
    targets ``y`` (few: of each a row as wide as there are classes may be made), and so sets up all that a fitted one
    has, before the weights take the place of those."""
    import numpy as np  # type: ignore[import-not-found, unused-ignore]

    X = np.zeros((len(y), len(weights[0][0])))
    more = {} if classes is None else {"classes": _array_of(list(classes))}
    network.partial_fit(X, np.array(y), **more)
    network.coefs_ = [np.array(weight, dtype=np.float64) for weight, _ in weights]
    network.intercepts_ = [np.array(bias, dtype=np.float64) for _, bias in weights]
    del network._optimizer  # it has the momenta of that step: learning on begins with new ones
    network.n_iter_, network.t_, network.loss_curve_, network.best_loss_ = 0, 0, [], np.inf


def _array_of(classes: list[Any]) -> Any:
    """Classes as an array of NumPy's, in which they are still the same."""
    import numpy as np  # type: ignore[import-not-found, unused-ignore]

    array = np.array(classes)
    for label, there in zip(classes, array.tolist()):
        if label != there:
            raise ArgumentError(
                f"class {shown(label)} would be {shown(there)} there: arrays of texts do without zeros at their ends"
            )
    return array


def _standard_scaler(affine: _Affine) -> Any:
    """A fitted StandardScaler that does this."""
    import numpy as np  # type: ignore[import-not-found, unused-ignore]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped, import-not-found, unused-ignore]

    columns = len(affine.means)
    scaler = StandardScaler().fit(np.zeros((1, columns)))
    scaler.mean_, scaler.scale_ = np.array(affine.means), np.array(affine.deviations)
    scaler.var_ = scaler.scale_**2
    return scaler
