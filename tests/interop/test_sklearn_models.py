"""Networks from scikit-learn predict the same as a ``Model``, and back, in every form that both have."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("sklearn", "1.6", reason="needs scikit-learn 1.6")

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PowerTransformer, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from scratchnn import (
    BatchNorm,
    Dropout,
    Flatten,
    L1Loss,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Model,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from scratchnn.errors import ArgumentError, DataError, NotFittedError
from scratchnn.interop.making import fitted_model
from scratchnn.interop.sklearn import ScratchClassifier, ScratchRegressor
from scratchnn.interop.sklearn_models import from_sklearn, to_sklearn

ROOT = Path(__file__).resolve().parents[2]
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
HIDDEN = [(), (7,), (6, 5)]
EXACT = 1e-12
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NAMES = np.array(["one", "two", "three", "four"])


def classified(classes: int) -> tuple[Any, Any]:
    X, y = make_classification(90, 6, n_informative=5, n_redundant=0, n_classes=classes, random_state=1)
    return X * [1.0, 10.0, 0.1, 5.0, 1.0, 1.0] + [0.0, 100.0, 0.0, -3.0, 1.0, 0.0], y


def fitted(kind: Any, hidden: tuple[int, ...], activation: str, X: Any, y: Any) -> Any:
    return kind(hidden_layer_sizes=hidden, activation=activation, max_iter=8, random_state=0).fit(X, y)


def agree(model: Model, estimator: Any, X: Any, exact: float = EXACT) -> None:
    """The same answers, and numbers that are apart by at most ``exact`` of the largest."""
    if model.task == "regression":
        numbers, expected = np.array(model.predict(X)), estimator.predict(X)
        assert numbers.shape == expected.shape
    else:
        assert model.predict(X) == estimator.predict(X).tolist()
        numbers, expected = np.array(model.predict_proba(X)), estimator.predict_proba(X)
    assert np.abs(numbers - expected).max() <= exact * max(np.abs(expected).max(), 1.0)


# --- from scikit-learn -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_classifiers_there_and_back(classes: int, activation: str, hidden: tuple[int, ...]) -> None:
    X, y = classified(classes)
    for labels in (y, NAMES[y]):
        estimator = fitted(MLPClassifier, hidden, activation, X / 10.0, labels)
        model = from_sklearn(estimator, engine="linalg")
        agree(model, estimator, X / 10.0)
        assert model.classes == estimator.classes_.tolist()
        assert len(model.network) == 2 * len(hidden) + 1 - len(hidden) * (activation == "identity")
        back = to_sklearn(model)
        assert (back.activation, back.hidden_layer_sizes) == (activation if hidden else "relu", hidden)
        for here, there in zip(back.coefs_ + back.intercepts_, estimator.coefs_ + estimator.intercepts_):
            assert np.array_equal(here, there)
        assert np.array_equal(back.predict(X / 10.0), estimator.predict(X / 10.0))
        assert back.predict(X).dtype.kind == labels.dtype.kind


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_several_labels_there_and_back(activation: str, hidden: tuple[int, ...]) -> None:
    X, y = make_multilabel_classification(60, 6, n_classes=4, random_state=0)
    estimator = fitted(MLPClassifier, hidden, activation, X, y)
    model = from_sklearn(estimator, engine="linalg")
    agree(model, estimator, X)
    back = to_sklearn(model)
    assert np.array_equal(back.predict_proba(X), estimator.predict_proba(X))
    assert np.array_equal(back.classes_, estimator.classes_)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_regressors_there_and_back(activation: str, hidden: tuple[int, ...], outputs: int) -> None:
    X, y = make_regression(60, 6, n_targets=outputs, random_state=0)
    estimator = fitted(MLPRegressor, hidden, activation, X, y)
    model = from_sklearn(estimator, engine="linalg")
    agree(model, estimator, X)
    assert np.array_equal(to_sklearn(model).predict(X), estimator.predict(X))


@pytest.mark.parametrize(("engine", "exact"), [("numpy", EXACT), ("lanes", 1e-4)])
def test_on_other_engines(engine: str, exact: float) -> None:
    X, y = classified(4)
    estimator = fitted(MLPClassifier, (40, 30), "tanh", StandardScaler().fit_transform(X), y)
    model = from_sklearn(estimator, engine=engine)
    agree(model, estimator, StandardScaler().fit_transform(X), exact)
    assert model.engine == engine


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler(),
    MinMaxScaler((-3, 2)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    "passthrough",
]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_scalers_before_a_network_become_the_model_s(scaler: Any) -> None:
    X, y = classified(3)
    X[:, 5] = 2.5  # a column that never changes
    network = MLPClassifier((7,), max_iter=8, random_state=0)
    estimator = Pipeline([("scaler", scaler), ("network", network)]).fit(X, y)
    model = from_sklearn(estimator, engine="linalg")
    agree(model, estimator, X)
    back = to_sklearn(model)
    assert np.abs(back.predict_proba(X) - estimator.predict_proba(X)).max() <= EXACT
    agree(from_sklearn(back, engine="linalg"), estimator, X)


def test_scalers_in_a_row_and_pipelines_in_pipelines() -> None:
    X, y = classified(3)
    inner = make_pipeline(MinMaxScaler((1, 5)), RobustScaler())
    estimator = make_pipeline(StandardScaler(), inner, "passthrough", MaxAbsScaler(), MLPClassifier((5,), max_iter=8))
    agree(from_sklearn(estimator.fit(X, y), engine="linalg"), estimator, X)
    nested = make_pipeline(StandardScaler(), make_pipeline(MinMaxScaler(), MLPClassifier((5,), max_iter=8)))
    agree(from_sklearn(nested.fit(X, y), engine="linalg"), nested, X)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), None], ids=str)
def test_scalers_around_a_regressor_become_the_model_s(scaler: Any, outputs: int) -> None:
    X, y = make_regression(60, 6, n_targets=outputs, random_state=0)
    y = y * 50.0 + 1000.0
    network = MLPRegressor(hidden_layer_sizes=(7,), max_iter=50, random_state=0)
    inside = make_pipeline(StandardScaler(), network)
    for estimator in (
        TransformedTargetRegressor(inside, transformer=scaler),
        make_pipeline(RobustScaler(), TransformedTargetRegressor(network, transformer=scaler)),
    ):
        if scaler is None:
            with pytest.raises(ArgumentError, match="transformer of TransformedTargetRegressor is a FunctionTransf"):
                from_sklearn(estimator.fit(X, y))
            continue
        model = from_sklearn(estimator.fit(X, y), engine="linalg")
        assert model.target_scaling.kind == "standard"
        agree(model, estimator, X)
        agree(model, to_sklearn(model), X)


def test_names_of_columns_are_kept(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = classified(2)
    frame = pandas.DataFrame(X, columns=list("uvwxyz"))
    network = MLPClassifier((5,), max_iter=8, random_state=0)
    for estimator in (clone(network).fit(frame, y), make_pipeline(StandardScaler(), network).fit(frame, y)):
        model = from_sklearn(estimator, engine="linalg")
        assert model.feature_names == list("uvwxyz")
        agree(model, estimator, frame)
        model.save(tmp_path / "model.pkl")
        back = to_sklearn(Model.load(tmp_path / "model.pkl", engine="linalg"))
        assert back.feature_names_in_.tolist() == list("uvwxyz")
        with pytest.raises(ValueError, match="feature names"):
            back.predict(frame[list("zyxwvu")])
        agree(model, back, frame)


def test_networks_in_single_precision() -> None:
    X, y = classified(3)
    estimator = fitted(MLPClassifier, (6,), "relu", X.astype(np.float32), y)
    assert estimator.coefs_[0].dtype == np.float32
    agree(from_sklearn(estimator, engine="linalg"), estimator, X)


def test_an_estimator_of_this_package_gives_its_model() -> None:
    X, y = classified(3)
    alone = ScratchClassifier(8, engine="numpy", epochs=2, random_state=5).fit(X, y)
    model = from_sklearn(alone, engine="numpy")
    assert model is not alone.model_ and model.weights == alone.model_.weights
    assert model.predict_proba(X) == alone.model_.predict_proba(X)
    assert model.seed == alone.model_.seed == 5 and from_sklearn(FEW.fit(X, y), seed=7).seed == 7
    alone.model_.schema = alone.model_.schema._replace(feature_names=tuple("abcdef"))
    assert from_sklearn(alone).feature_names == list("abcdef")
    whole = make_pipeline(MinMaxScaler(), ScratchClassifier(8, engine="numpy", epochs=2)).fit(X, y)
    agree(from_sklearn(whole, engine="linalg"), whole, X)
    around = TransformedTargetRegressor(ScratchRegressor(8, engine="numpy", epochs=2), transformer=StandardScaler())
    agree(from_sklearn(around.fit(X, y * 100.0), engine="linalg"), around, X)


def test_a_model_from_there_learns_on() -> None:
    X, y = classified(3)
    estimator = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=3, random_state=0)).fit(X, y)
    model = from_sklearn(estimator, engine="numpy")
    before = model.evaluate(X, y)[0]
    model.fit(X, y, epochs=10)
    assert model.evaluate(X, y)[0] < before


X, Y = classified(3)


FEW = MLPClassifier((3,), max_iter=2, random_state=0)
NO_NETWORKS: list[tuple[Any, bool, str]] = [
    (LogisticRegression(max_iter=9), True, "the estimator is to be an MLPClassifier or MLPRegressor"),
    ("model.joblib", False, "got 'model.joblib'"),
    (MLPClassifier(), False, "the estimator, a MLPClassifier, has not been fitted"),
    (
        make_pipeline("passthrough", MLPClassifier()),
        False,
        "step 'mlpclassifier', a MLPClassifier, has not been fitted",
    ),
    (make_pipeline(StandardScaler(), MLPClassifier()), False, "step 'standardscaler', a StandardScaler, has not been"),
    (TransformedTargetRegressor(MLPRegressor()), False, "TransformedTargetRegressor, has not been fitted"),
    (ScratchClassifier(), False, "the estimator, a ScratchClassifier, has not been fitted"),
    (SimpleNamespace(model_=3, coefs_=[]), False, "got a SimpleNamespace"),
    (make_pipeline(PCA(3), FEW), True, "step 'pca' is a PCA, which a Model cannot do"),
    (make_pipeline(make_pipeline(StandardScaler(), PCA(3)), FEW), True, "step 'pipeline', 'pca' is a PCA"),
    (
        make_pipeline(type("MinMaxScaler", (MinMaxScaler,), {"__module__": "mine"})(), FEW),
        True,
        "is a MinMaxScaler, which",
    ),
    (make_pipeline(PowerTransformer(), FEW), True, "step 'powertransformer' is a PowerTransformer"),
    (make_pipeline(MinMaxScaler(clip=True), FEW), True, "clip=True"),
    (make_pipeline(StandardScaler(), LogisticRegression()), True, "step 'logisticregression' is to be an MLP"),
    (make_pipeline(StandardScaler(), "passthrough"), True, "step 'passthrough' is to be an MLP"),
]


@pytest.mark.parametrize(("estimator", "fit", "message"), NO_NETWORKS, ids=[message for *_, message in NO_NETWORKS])
def test_what_is_no_network_is_refused(estimator: Any, fit: bool, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        from_sklearn(clone(estimator).fit(X, Y) if fit else estimator)


def test_weights_that_ran_away_are_refused() -> None:
    estimator = clone(FEW).fit(X, Y)
    estimator.coefs_[0][2, 1] = np.nan
    with pytest.raises(DataError, match=r"weights\[0\]: row 2, column 1 must be a finite number"):
        from_sklearn(estimator)


def test_an_end_that_there_is_no_layer_for_is_refused() -> None:
    try:
        estimator = MLPRegressor(loss="poisson", max_iter=2).fit(X, Y + 1.0)
    except TypeError:
        pytest.skip("this scikit-learn has no loss='poisson'")
    with pytest.raises(ArgumentError, match="go through 'exp'"):
        from_sklearn(estimator)


# --- to scikit-learn ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_models_become_classifiers(scaling: str, classes: int, activation: str) -> None:
    X, y = classified(classes)
    X = X if scaling == "standard" else StandardScaler().fit_transform(X)
    model = Model(6, [9, 8], activation=activation, scaling=scaling, engine="linalg", dropout=0.2)
    model.fit(X, NAMES[y], epochs=2)
    estimator = to_sklearn(model)
    check_is_fitted(estimator)
    assert isinstance(estimator, Pipeline if scaling == "standard" else MLPClassifier)
    agree(model, estimator, X)
    assert estimator.score(X, NAMES[y]) == model.score(X, NAMES[y])
    agree(from_sklearn(estimator, engine="linalg"), estimator, X)


def test_pixels_and_flattened_images() -> None:
    rows = np.random.RandomState(0).randint(0, 256, size=(40, 16))
    y = [int(row[0] > 127) for row in rows]
    layers = [Flatten(), Sequential([Linear(16, 5), ReLU()]), Dropout(0.5), Linear(5, 2)]
    model = Model.from_layers(layers, input_shape=(1, 4, 4), engine="linalg")
    model.fit(rows, y, epochs=2)
    assert model.scaling.kind == "pixels"
    agree(model, to_sklearn(model), rows)


ENDS: list[tuple[str, list[Any], str]] = [
    ("cross_entropy", [Linear(4, 3)], "classification"),
    ("cross_entropy", [Linear(4, 3), LogSoftmax()], "classification"),
    ("nll", [Linear(4, 3), LogSoftmax()], "classification"),
    ("nll", [Linear(4, 2), LogSoftmax()], "classification"),
    ("kl_div", [Linear(4, 3), LogSoftmax()], "classification"),
    ("bce_with_logits", [Linear(4, 1)], "classification"),
    ("bce", [Linear(4, 1), Sigmoid()], "classification"),
    ("bce_with_logits", [Linear(4, 3)], "multilabel"),
    ("bce", [Linear(4, 3), Sigmoid()], "multilabel"),
    ("mse", [Linear(4, 1)], "regression"),
    ("huber", [Linear(4, 3)], "regression"),
]


@pytest.mark.parametrize(("loss", "end", "task"), ENDS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("before", [[Linear(6, 4), Tanh()], [Linear(6, 4)]], ids=["tanh", "identity"])
def test_every_end_that_both_have(loss: str, end: list[Any], task: str, before: list[Any]) -> None:
    layers = [layer.copy() for layer in (*before, *end)]
    model = Model.from_layers(layers, loss=loss, task=task, engine="linalg")
    X, y = classified(max(model.output_size, 2))
    targets = y
    if task == "multilabel":
        targets = [[int(label == k) for k in range(3)] for label in y]
    elif task == "regression":
        targets = np.array([y * 100.0 + k for k in range(model.output_size)]).T
    model.fit(X, targets, epochs=2)
    estimator = to_sklearn(model)
    agree(model, estimator, X)
    agree(from_sklearn(estimator, engine="linalg"), estimator, X)


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_classes_in_any_order(outputs: int) -> None:
    from scratchnn.interop.making import fitted_model

    classes = ["b", "c", "a"] if outputs == 3 else ["b", "a"]
    linear = Linear(6, outputs)
    linear.weight.value = [[0.1 * (i + 1) * (-1) ** (i + j) for j in range(outputs)] for i in range(6)]
    linear.bias.value = [[0.3 * j - 0.2 for j in range(outputs)]]
    loss = "bce_with_logits" if outputs == 1 else "cross_entropy"
    model = fitted_model([linear], task="classification", loss=loss, input_shape=6, classes=classes, engine="linalg")
    estimator = to_sklearn(model)
    assert estimator.classes_.tolist() == sorted(classes)
    assert estimator.predict(X).tolist() == model.predict(X)
    mine = [[row[classes.index(c)] for c in sorted(classes)] for row in model.predict_proba(X)]
    np.testing.assert_allclose(estimator.predict_proba(X), mine, rtol=0.0, atol=EXACT)


@pytest.mark.parametrize("classes", [[False, True], [-5, 7], ["", "ä"]])
def test_classes_of_every_kind(classes: list[Any]) -> None:
    X, y = classified(2)
    labels = [classes[k] for k in y]
    model = Model(6, 4, engine="linalg")
    model.fit(X, labels, epochs=1)
    estimator = to_sklearn(model)
    agree(model, estimator, X)
    assert estimator.classes_.tolist() == classes


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_an_estimator_from_here_learns_on_and_is_copied(task: str) -> None:
    X, y = classified(3)
    targets: Any = y if task == "classification" else np.array([y == 0, y == 1]).T.astype(int)
    model = Model(6, 8, task=task, engine="linalg")
    model.fit(X, targets, epochs=1)
    estimator = to_sklearn(model)
    again = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(again.predict(X), estimator.predict(X))
    assert np.array_equal(estimator[0].var_, estimator[0].scale_ ** 2)
    rows = estimator[0].transform(X)
    network = estimator[-1]
    before = network.coefs_[0].copy()
    network.partial_fit(rows, targets)
    assert network.n_iter_ == 1 and len(network.loss_curve_) == 1 and network.t_ == len(X)
    # The first step of Adam is as long as its rate (0.001), one that remembers others is not.
    assert np.abs(network.coefs_[0] - before).max() == pytest.approx(0.001, rel=1e-3)
    clone(estimator).fit(X, targets)


REFUSED: list[tuple[list[Any], str, str]] = [
    ([Linear(6, 4), LeakyReLU(), Linear(4, 3)], "cross_entropy", "layer 1, LeakyReLU"),
    ([Linear(6, 4), BatchNorm(4), ReLU(), Linear(4, 3)], "cross_entropy", "layer 1, BatchNorm"),
    ([Linear(6, 6), ReLU(), Residual([Linear(6, 6)]), Linear(6, 3)], "cross_entropy", "layer 2, Residual"),
    (
        [Linear(6, 4), ReLU(), Linear(4, 4), Tanh(), Linear(4, 3)],
        "cross_entropy",
        "layer 3, Tanh: .*first here is 'relu'",
    ),
    ([Linear(6, 4), ReLU(), Linear(4, 4), Linear(4, 3)], "cross_entropy", "layer 2, Linear: .*one activation through"),
    ([Linear(6, 4), ReLU(), Tanh(), Linear(4, 3)], "cross_entropy", "layer 2, Tanh"),
    ([ReLU(), Linear(6, 3)], "cross_entropy", "layer 0, ReLU"),
    ([Linear(6, 4), LogSoftmax(), Linear(4, 3)], "cross_entropy", "layer 1, LogSoftmax"),
    ([Linear(6, 3), Sigmoid()], "cross_entropy", "layer 1, Sigmoid: .*no such end"),
    ([Linear(6, 3), Softmax()], "mse", "layer 1, Softmax"),
    ([Linear(6, 3)], "nll", "layer 0, Linear: .*no such end"),
    ([Linear(6, 3), LogSoftmax()], "kl_div", "layer 1, LogSoftmax"),
    ([Linear(6, 1), Sigmoid()], "mse", "layer 1, Sigmoid"),
    ([Linear(6, 1), Sigmoid()], "bce_with_logits", "layer 1, Sigmoid"),
    ([Tanh()], "l1", "layer 0, Tanh"),
]


@pytest.mark.parametrize(("layers", "loss", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_networks_that_scikit_learn_cannot_have_are_refused(layers: list[Any], loss: str, message: str) -> None:
    model = Model.from_layers([layer.copy() for layer in layers], loss=loss, input_shape=6, engine="linalg")
    targets: Any = Y if model.task == "classification" else X[:, : model.output_size]
    if model.output_size == 1:
        targets = (Y > 0).astype(int)
    elif loss == "kl_div":
        targets = [[1 / 3] * 3] * len(X)
    model.fit(X, targets, epochs=1, lr=1e-6)
    with pytest.raises(ArgumentError, match=message):
        to_sklearn(model)


def test_what_is_no_fitted_model_is_refused() -> None:
    with pytest.raises(NotFittedError):
        to_sklearn(Model(2, 3, 2))
    with pytest.raises(ArgumentError, match="takes a Model, got a ScratchClassifier"):
        to_sklearn(ScratchClassifier())
    with pytest.raises(ArgumentError, match="hand over its model_"):
        to_sklearn(ScratchClassifier(2, epochs=1).fit(X, Y))


def test_classes_that_numpy_would_change_are_refused() -> None:
    model = Model(2, 3, 2, engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], ["a\0", "a"], epochs=1)
    with pytest.raises(ArgumentError, match=r"class 'a\\x00' would be 'a' there: arrays of texts do without zeros"):
        to_sklearn(model)


def test_many_classes_and_features_cost_no_more_than_the_weights() -> None:
    """Rows or labels as wide as there are classes would take 70 megabytes, the weights take one and a half."""
    import tracemalloc

    classes, width = 3000, 3000
    layers: list[Any] = [Linear(width, 1), Tanh(), Linear(1, classes)]
    model = fitted_model(layers, loss="cross_entropy", input_shape=width, engine="linalg")
    to_sklearn(fitted_model([Linear(2, 2)], loss="cross_entropy", input_shape=2))  # which imports scikit-learn
    tracemalloc.start()
    try:
        network = to_sklearn(model)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert network.classes_.tolist() == list(range(classes)) and network.n_outputs_ == classes
    assert most < 10_000_000


def test_losses_that_only_differ_in_training_are_no_obstacle() -> None:
    model = Model.from_layers([Linear(6, 4), ReLU(), Linear(4, 1)], loss=L1Loss(), engine="linalg")
    model.fit(X, Y.astype(float), epochs=1)
    agree(model, to_sklearn(model), X)


def test_a_missing_scikit_learn_is_said_in_one_line() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['sklearn'] = None\n"
        "from scratchnn import Model\nfrom scratchnn.interop.sklearn_models import to_sklearn\n"
        "model = Model(1, 2); model.fit([[1.0], [2.0]], [0, 1], epochs=1)\n"
        "try: to_sklearn(model)\nexcept ValueError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == (
        "to_sklearn needs scikit-learn, which is not installed: python -m pip install scikit-learn"
    )
