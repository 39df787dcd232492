"""Estimators for scikit-learn: ``ScratchClassifier`` and ``ScratchRegressor`` go into pipelines, searches and scores.

This file is named after what it needs: it is the one that imports scikit-learn (1.6 or later) at its top, as an
estimator is a class derived from those there, and one that other processes can find by its name. A fitted estimator has
its ``Model`` in ``model_``. The way of networks themselves from and to scikit-learn is in ``sklearn_models``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .. import defaults
from ..checks import shown
from ..engines.finding import DEFAULT_ENGINE
from ..errors import DataError
from ..model import Model
from ..preprocessing.labels import as_labels
from ..training.fitting import as_pair
from .sklearn_models import from_sklearn, to_sklearn

try:
    import numpy as np  # type: ignore[import-not-found, unused-ignore]
    from sklearn.base import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        BaseEstimator,
        ClassifierMixin,
        RegressorMixin,
    )
    from sklearn.utils import check_random_state  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from sklearn.utils.multiclass import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        check_classification_targets,
        type_of_target,
    )
    from sklearn.utils.validation import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        _check_sample_weight,
        check_array,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        "scratchnn.interop.sklearn needs scikit-learn 1.6 or later, which is not installed: "
        f"python -m pip install 'scikit-learn>=1.6' ({error})"
    ) from None

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from ..optim import Optimizer, Schedule
    from ..preprocessing.labels import Label

__all__ = ["ScratchClassifier", "ScratchRegressor", "from_sklearn", "to_sklearn"]

_OF_MODEL = ("hidden_size", "activation", "dropout", "init", "scaling", "engine")
_OF_A_RUN = ("epochs", "schedule", "checkpoint", "checkpoint_every", "resume", "stop_on_sigterm", "workers", "executor")
_OF_A_STEP = (
    *("lr", "batch_size", "optimizer", "momentum", "nesterov", "weight_decay", "clip_norm", "validation_split"),
    *("callbacks", "eval", "show_training_info", "verbose", "shuffle"),
)


class _ScratchEstimator(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """What both have in common: rows in, a model made and trained."""

    model_: Model
    n_features_in_: int
    n_iter_: int
    loss_curve_: list[float]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _rows(self, X: Any) -> Any:
        """``X`` to be asked about, checked: as many features, and the same names in the same order, as in training."""
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", reset=False)

    def _goes_on(self, part: bool) -> bool:
        """Whether the model that there is learns on."""
        return (part or self.warm_start) and hasattr(self, "model_")

    def _seed(self) -> int:
        """The model's seed: ``random_state`` itself if that is a number, or one that the generator there draws."""
        state = self.random_state
        if isinstance(state, (int, np.integer)):
            return int(state)
        return int(check_random_state(state).randint(np.iinfo(np.int32).max))

    def _new_model(self, output_size: int, task: str, **others: Any) -> Model:
        settings = {name: getattr(self, name) for name in _OF_MODEL}
        return Model(self.n_features_in_, output_size=output_size, task=task, seed=self._seed(), **settings, **others)

    def _settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Arguments of ``fit``. Optimizers and schedules change while they are used, parameters may not."""
        settings = {name: getattr(self, name) for name in names}
        for name in {"optimizer", "schedule"} & {*names}:
            if not isinstance(settings[name], (str, type)):
                settings[name] = deepcopy(settings[name])
        names_in = getattr(self, "feature_names_in_", None)
        return {**settings, "columns": None if names_in is None else [str(name) for name in names_in]}

    def _train(self, model: Model, X: Any, y: list[Any], sample_weight: Any, part: bool, **others: Any) -> Any:
        settings = self._settings(_OF_A_STEP if part else (*_OF_A_RUN, *_OF_A_STEP))
        weights = None if sample_weight is None else sample_weight.tolist()
        learn = model.partial_fit if part else model.fit
        history = learn(X, y, sample_weight=weights, **settings, **others)
        before = self.loss_curve_ if part and hasattr(self, "loss_curve_") else []
        self.model_ = model
        self.loss_curve_ = [*before, *history["loss"]]
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _counting(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Rows, labels and weights without those that weigh nothing: these are to be as if they were not there."""
        if sample_weight is None:
            return X, y, None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if (weights < 0.0).any():
            raise DataError("Negative values in data passed to `sample_weight`")
        counting = weights > 0.0
        if not counting.any():
            raise DataError("Sample weights must contain at least one non-zero number: nothing would be learned")
        return (X, y, weights) if counting.all() else (X[counting], y[counting], weights[counting])

    def _held_out(self, validation_data: Any) -> Any:
        """A pair (X, y) to measure with after every epoch, as the model reads it."""
        if validation_data is None:
            return None
        X, y = as_pair(validation_data, "validation_data")
        return validate_data(self, X, accept_sparse="csr", reset=False), np.asarray(_not_sparse(y)).tolist()


def _not_sparse(y: Any) -> Any:
    return y.toarray() if hasattr(y, "toarray") else y


class ScratchClassifier(ClassifierMixin, _ScratchEstimator):  # type: ignore[misc, unused-ignore]
    """A classifier that trains a ``Model``: of two or more classes, or of rows with any number of labels.

    Parameters are the arguments of ``Model`` (``hidden_size``, ``activation``, ``dropout``, ``init``, ``scaling``,
    ``engine``) and of ``Model.fit`` (the others) by the same names and with the same meaning, and what is not given is
    the same as there. Not among them are ``input_size``, ``output_size``, ``task`` and ``columns``, which are read off
    the data: a 2-dimensional ``y`` of 0 and 1 makes it multi-label. ``class_weight`` is for single labels, and an array
    of bytes is one of pixels. Added are:

    ``random_state``: the model's ``seed``. A number is the seed itself, so that the estimator ends with the weights of
    ``Model(..., seed=random_state)``, and with 0, the default, every fit repeats; a generator draws a seed at each fit,
    and so does ``None`` with NumPy's global one.

    ``warm_start``: whether ``fit`` goes on from the model that there is, if there is one, with the scaling and the
    classes of the first; otherwise it makes a new one. Early stopping is a callback,
    ``callbacks=[EarlyStopping(...)]`` with ``validation_split``.

    A fitted one has ``model_`` (the ``Model``: ``model_.save("model.pkl")``, ``model_.report(...)``), ``classes_``,
    ``n_features_in_``, ``feature_names_in_`` (of a DataFrame), ``loss_curve_`` (a number an epoch) and ``n_iter_``
    (epochs).
    """

    classes_: Any

    def __init__(
        self,
        hidden_size: int | Sequence[int] = defaults.HIDDEN_SIZE,
        *,
        activation: Any = "relu",
        dropout: float = 0.0,
        init: str | float = defaults.AUTO,
        scaling: str = "auto",
        engine: Any = DEFAULT_ENGINE,
        epochs: int = defaults.EPOCHS,
        lr: float | None = None,
        batch_size: int | str | None = defaults.AUTO,
        optimizer: str | Optimizer | type[Optimizer] = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        weight_decay: float | None = None,
        schedule: str | Schedule | type[Schedule] | None = defaults.AUTO,
        clip_norm: float | str | None = defaults.AUTO,
        validation_split: float | None = None,
        class_weight: Mapping[Label, float] | str | None = None,
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
        warm_start: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.activation = activation
        self.dropout = dropout
        self.init = init
        self.scaling = scaling
        self.engine = engine
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.validation_split = validation_split
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.eval = eval
        self.show_training_info = show_training_info
        self.verbose = verbose
        self.shuffle = shuffle
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.stop_on_sigterm = stop_on_sigterm
        self.workers = workers
        self.executor = executor
        self.warm_start = warm_start
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> ScratchClassifier:
        """Train on rows ``X`` (samples x features; an array, a DataFrame, a sparse matrix) and their classes ``y``
        (numbers or texts), or rows of 0 and 1 for each label; returns itself.

        ``sample_weight`` is one number a row, none below 0; rows of weight 0 are left out. ``validation_data`` is a
        pair (X, y), see ``Model.fit``. Raises ``ValueError`` for data and parameters that make no sense.
        """
        return self._fit(X, y, sample_weight, validation_data, None, part=False)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> ScratchClassifier:
        """Train one epoch on a part of the rows; the first call is told all ``classes``, if these rows do not have
        each. Parameters that are about a whole run (epochs, schedule, checkpoints, workers) do not count."""
        return self._fit(X, y, sample_weight, None, classes, part=True)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation_data: Any, classes: Any, part: bool
    ) -> ScratchClassifier:
        going_on = self._goes_on(part)
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True, reset=not going_on)
        check_classification_targets(y)
        several = type_of_target(y).startswith("multilabel")
        y = check_array(_not_sparse(y), dtype=None) if several else column_or_1d(y, warn=True)
        known = self._classes_of(y, classes, several, going_on)
        X, y, weights = self._counting(X, y, sample_weight)
        if going_on:
            model = self.model_
        elif several:
            model = self._new_model(y.shape[1], "multilabel")
        else:
            model = self._new_model(len(known), "classification")
            model.schema = model.schema.told_classes(as_labels(known, "classes"))
        held_out = self._held_out(validation_data)
        validation = {} if held_out is None else {"validation_data": held_out}
        self._train(model, X, y.tolist(), weights, part, class_weight=self.class_weight, **validation)
        self.classes_ = known
        return self

    def _classes_of(self, y: Any, classes: Any, several: bool, going_on: bool) -> Any:
        """All classes in order; of rows of labels, their numbers."""
        known = self.classes_ if going_on else np.arange(y.shape[1]) if several else np.unique(y)
        if classes is not None:
            told = np.unique(classes)
            if going_on and not np.array_equal(told, known):
                raise DataError(f"classes are {shown(known.tolist())} since the first rows, got {shown(told.tolist())}")
            if several and not np.array_equal(told, known):
                raise DataError(
                    f"classes of rows of {len(known)} labels are their numbers, {shown(known.tolist())}, got "
                    f"{shown(told.tolist())}"
                )
            known = told
        odd: Any = () if several else np.setdiff1d(y, known)
        if len(odd):
            raise DataError(f"y has classes that were not there at first: {shown(odd.tolist())}")
        if not several and len(known) < 2:
            raise DataError(f"y has one class, {known.tolist()[0]!r}: at least two classes are needed to learn from")
        return known

    def predict(self, X: Any) -> Any:
        """For each row of ``X`` its class, or for a multi-label one a row of 0 and 1: what ``model_`` predicts."""
        X = self._rows(X)
        answers = self.model_.predict(X)
        if self.model_.task == "multilabel":
            return np.array(answers)
        number_of = {label: number for number, label in enumerate(self.model_.classes)}
        return self.classes_[[number_of[label] for label in answers]]

    def predict_proba(self, X: Any) -> Any:
        """For each row of ``X`` the probability of each class in the order of ``classes_``, or of each label."""
        X = self._rows(X)
        return np.array(self.model_.predict_proba(X))

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithms of ``predict_proba``; that of 0 is minus infinity."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class ScratchRegressor(RegressorMixin, _ScratchEstimator):  # type: ignore[misc, unused-ignore]
    """A regressor that trains a ``Model``: of one number a row, or of several.

    Parameters are those of ``ScratchClassifier``, with ``target_scaling`` (see ``Model``) and without ``class_weight``.
    A fitted one has what a fitted classifier has, with ``n_outputs_`` instead of ``classes_``.
    """

    def __init__(
        self,
        hidden_size: int | Sequence[int] = defaults.HIDDEN_SIZE,
        *,
        activation: Any = "relu",
        dropout: float = 0.0,
        init: str | float = defaults.AUTO,
        scaling: str = "auto",
        target_scaling: str = "auto",
        engine: Any = DEFAULT_ENGINE,
        epochs: int = defaults.EPOCHS,
        lr: float | None = None,
        batch_size: int | str | None = defaults.AUTO,
        optimizer: str | Optimizer | type[Optimizer] = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        weight_decay: float | None = None,
        schedule: str | Schedule | type[Schedule] | None = defaults.AUTO,
        clip_norm: float | str | None = defaults.AUTO,
        validation_split: float | None = None,
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
        warm_start: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.activation = activation
        self.dropout = dropout
        self.init = init
        self.scaling = scaling
        self.target_scaling = target_scaling
        self.engine = engine
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.eval = eval
        self.show_training_info = show_training_info
        self.verbose = verbose
        self.shuffle = shuffle
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.stop_on_sigterm = stop_on_sigterm
        self.workers = workers
        self.executor = executor
        self.warm_start = warm_start
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> ScratchRegressor:
        """Train on rows ``X`` (samples x features; an array, a DataFrame, a sparse matrix) and numbers ``y`` (samples,
        or samples x outputs); returns itself. The other arguments are those of ``ScratchClassifier.fit``."""
        return self._fit(X, y, sample_weight, validation_data, part=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> ScratchRegressor:
        """Train one epoch on a part of the rows; see ``ScratchClassifier.partial_fit``."""
        return self._fit(X, y, sample_weight, None, part=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any, part: bool) -> ScratchRegressor:
        going_on = self._goes_on(part)
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True, y_numeric=True, reset=not going_on)
        X, y, weights = self._counting(X, y, sample_weight)
        y = _not_sparse(y).astype(np.float64)
        outputs = y.shape[1] if y.ndim == 2 else 1
        others = {"target_scaling": self.target_scaling}
        model = self.model_ if going_on else self._new_model(outputs, "regression", **others)
        held_out = self._held_out(validation_data)
        validation = {} if held_out is None else {"validation_data": held_out}
        self._train(model, X, y.tolist(), weights, part, **validation)
        self.n_outputs_ = outputs
        return self

    def predict(self, X: Any) -> Any:
        """For each row of ``X`` its number, or a row of them where there are several outputs: what ``model_``
        predicts."""
        X = self._rows(X)
        return np.array(self.model_.predict(X))
