"""``ScratchClassifier`` and ``ScratchRegressor`` in scikit-learn's company: pipelines, searches, files, processes."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", "1.6", reason="needs scikit-learn 1.6")

import joblib
import numpy as np
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from scratchnn import SGD, Adam, Callback, EarlyStopping, Model, load_digits
from scratchnn.interop.sklearn import ScratchClassifier, ScratchRegressor

ROOT = Path(__file__).resolve().parents[2]
NUMPY = {"engine": "numpy", "hidden_size": 16}


def classified(classes: int = 3, rows: int = 120) -> tuple[Any, Any]:
    return make_classification(rows, 6, n_informative=5, n_redundant=0, n_classes=classes, random_state=0)  # type: ignore[no-any-return, unused-ignore]


def measured(outputs: int = 1, rows: int = 120) -> tuple[Any, Any]:
    return make_regression(rows, 5, n_targets=outputs, noise=1.0, random_state=0)  # type: ignore[no-any-return, unused-ignore]


# --- parameters --------------------------------------------------------------------------------------------------

# What is read off the data, or is data.
OF_DATA = {"input_size", "output_size", "task", "columns", "X", "y", "validation_data", "sample_weight", "seed", "self"}


@pytest.mark.parametrize(
    ("kind", "without"), [(ScratchClassifier, {"target_scaling"}), (ScratchRegressor, {"class_weight"})]
)
def test_parameters_are_those_of_model_and_fit(kind: Any, without: set[str]) -> None:
    given = {**inspect.signature(Model.__init__).parameters, **inspect.signature(Model.fit).parameters}
    expected = {name: p.default for name, p in given.items() if name not in OF_DATA | without}
    parameters = inspect.signature(kind.__init__).parameters
    defaults = {name: p.default for name, p in parameters.items() if name != "self"}
    assert defaults == {**expected, "warm_start": False, "random_state": 0}
    assert kind().get_params() == defaults


def test_parameters_are_stored_untouched_and_stay_so() -> None:
    X, y = classified()
    rule, callbacks = Adam(0.01), [EarlyStopping(patience=3)]
    estimator = ScratchClassifier(**NUMPY, optimizer=rule, callbacks=callbacks, epochs=2, validation_split=0.2)
    before = pickle.dumps(rule)
    estimator.fit(X, y)
    assert estimator.optimizer is rule and estimator.callbacks is callbacks
    assert pickle.dumps(rule) == before


@pytest.mark.parametrize(
    "wrong", [{"hidden_size": 0}, {"activation": "relux"}, {"epochs": 0}, {"optimizer": "best"}, {"random_state": -1}]
)
def test_parameters_that_make_no_sense_are_refused_by_fit(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least|unknown|from 0"):
        ScratchClassifier(**wrong).fit(*classified())


# --- the model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["lanes", "linalg", "numpy"])
def test_the_model_is_the_one_that_would_be_made_by_hand(engine: str) -> None:
    X, y = classified()
    estimator = ScratchClassifier(12, engine=engine, epochs=3, random_state=5).fit(X, y)
    model = Model(6, 12, engine=engine, seed=5)
    model.fit(X, y, epochs=3)
    assert estimator.model_.weights == model.weights
    assert estimator.predict(X).tolist() == model.predict(X)
    assert estimator.predict_proba(X).tolist() == model.predict_proba(X)
    assert estimator.score(X, y) == model.score(X, y)
    assert estimator.loss_curve_ == model.history.loss and estimator.n_iter_ == 3


def test_the_model_can_be_saved_and_knows_classes_and_columns(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = classified()
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    names = np.array(["low", "middle", "high"])[y]
    estimator = ScratchClassifier(**NUMPY, epochs=3).fit(frame, names)
    assert estimator.feature_names_in_.tolist() == list("abcdef") and estimator.n_features_in_ == 6
    estimator.model_.save(tmp_path / "model.pkl")
    model = Model.load(tmp_path / "model.pkl", engine="numpy")
    assert (model.classes, model.feature_names) == (["high", "low", "middle"], list("abcdef"))
    assert model.predict(frame[list("fedcba")]) == estimator.predict(frame).tolist()
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[list("fedcba")])


@pytest.mark.parametrize("state", [None, np.random.RandomState(3)])
def test_a_generator_draws_another_seed_for_every_fit(state: Any) -> None:
    X, y = classified()
    estimator = ScratchClassifier(**NUMPY, epochs=1, random_state=state)
    assert estimator.fit(X, y).model_.weights != estimator.fit(X, y).model_.weights


def test_numpy_s_generator_decides_where_there_is_no_state() -> None:
    X, y = classified()
    weights = []
    for _ in range(2):
        np.random.seed(4)
        weights.append(ScratchClassifier(**NUMPY, epochs=1, random_state=None).fit(X, y).model_.weights)
    assert weights[0] == weights[1]
    same = [ScratchClassifier(**NUMPY, epochs=1, random_state=np.int64(2)).fit(X, y).model_ for _ in range(2)]
    assert same[0].weights == same[1].weights and same[0].seed == 2


def test_it_learns_digits_on_lanes() -> None:
    train, test = load_digits()
    estimator = ScratchClassifier(30, epochs=3).fit([list(row) for row in train.X], train.y)
    assert estimator.score([list(row) for row in test.X], test.y) > 0.9
    assert estimator.model_.scaling.kind == "pixels"


# --- labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [["no", "perhaps", "yes"], [10, 20, 30], [0.0, 1.0, 2.0], [-1, 0, 5]])
def test_labels_come_back_as_they_were_given(classes: list[Any]) -> None:
    X, y = classified()
    labels = np.array(classes)[y]
    estimator = ScratchClassifier(**NUMPY, epochs=3).fit(X, labels)
    answers = estimator.predict(X)
    assert estimator.classes_.tolist() == sorted(classes)
    assert answers.dtype == labels.dtype and {*answers.tolist()} <= {*classes}
    number = {label: k for k, label in enumerate(estimator.classes_.tolist())}
    assert [number[label] for label in answers.tolist()] == estimator.predict_proba(X).argmax(axis=1).tolist()


@pytest.mark.filterwarnings("ignore:.*bytes:FutureWarning")  # of scikit-learn 1.6, which then lets them through
def test_labels_that_are_bytes_are_refused() -> None:
    X, y = classified()
    with pytest.raises((TypeError, ValueError), match="bytes"):
        ScratchClassifier(**NUMPY).fit(X, np.array([b"no", b"maybe", b"yes"])[y])


@pytest.mark.parametrize("of", [lambda y: y == 1, lambda y: np.array(["a", "b"], dtype=object)[y], lambda y: y * 7])
def test_two_classes_of_any_kind(of: Any) -> None:
    X, y = classified(2)
    labels = of(y)
    estimator = ScratchClassifier(**NUMPY, epochs=4).fit(X, labels)
    assert estimator.predict(X).dtype == labels.dtype
    assert estimator.score(X, labels) > 0.8
    assert estimator.predict_proba(X).shape == (120, 2)
    np.testing.assert_allclose(np.exp(estimator.predict_log_proba(X)), estimator.predict_proba(X))


def test_the_logarithm_of_a_probability_of_zero_is_no_matter_for_a_warning() -> None:
    X, y = classified(2)
    estimator = ScratchClassifier(**NUMPY, epochs=2).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logarithms = estimator.predict_log_proba(X * 1e6)
    assert logarithms.min() == -np.inf and logarithms.max() == 0.0


def test_tags_say_what_is_taken() -> None:
    for estimator in (ScratchClassifier(), ScratchRegressor()):
        tags = get_tags(estimator)
        assert tags.input_tags.sparse and tags.target_tags.required
    assert get_tags(ScratchClassifier()).classifier_tags.multi_label
    assert get_tags(ScratchRegressor()).target_tags.multi_output


def test_labels_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = classified(2)
    labels = pandas.Series(np.array(["a", "b"])[y])
    for series in (labels, labels.astype("category"), labels.astype("string")):
        assert ScratchClassifier(**NUMPY, epochs=2).fit(X, series).classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_with_any_number_of_labels(sparse: bool) -> None:
    X, y = make_multilabel_classification(120, 6, n_classes=4, random_state=0)
    estimator = ScratchClassifier(**NUMPY, epochs=4).fit(X, scipy.sparse.csr_array(y) if sparse else y)
    assert estimator.model_.task == "multilabel"
    assert estimator.predict(X).shape == estimator.predict_proba(X).shape == (120, 4)
    assert estimator.predict(X).tolist() == estimator.model_.predict(X)
    assert estimator.classes_.tolist() == [0, 1, 2, 3]
    assert estimator.score(X, y) == estimator.model_.score(X, y)


def test_labels_that_are_dates_are_refused() -> None:
    X, y = classified(2)
    with pytest.raises(ValueError, match="classes: label 0 must be a number or a string, got date"):
        ScratchClassifier(**NUMPY).fit(X, np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[y])


def test_what_is_held_out_may_be_sparse() -> None:
    X, y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    given = [(X, y), (scipy.sparse.csr_array(X), scipy.sparse.csr_array(y))]
    first, second = (ScratchClassifier(**NUMPY, epochs=1).fit(X, y, validation_data=pair) for pair in given)
    assert first.model_.history.validation_loss == pytest.approx(second.model_.history.validation_loss)


def test_a_column_of_labels_is_warned_of() -> None:
    X, y = classified()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        ScratchClassifier(**NUMPY, epochs=1).fit(X, y[:, None])


def test_a_single_class_is_refused() -> None:
    X, _ = classified()
    with pytest.raises(ValueError, match="y has one class, 'a': at least two"):
        ScratchClassifier().fit(X, ["a"] * len(X))


# --- rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["lanes", "numpy"])
def test_sparse_rows_give_what_dense_ones_give(engine: str) -> None:
    X, y = classified()
    X[np.abs(X) < 0.7] = 0.0
    settings = {"hidden_size": 8, "epochs": 2, "engine": engine}
    dense = ScratchClassifier(**settings).fit(X, y)
    for form in (scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array):
        sparse = ScratchClassifier(**settings).fit(form(X), y)
        np.testing.assert_allclose(sparse.predict_proba(form(X)), dense.predict_proba(X), rtol=1e-4)
    weights = np.arange(120) % 3
    ScratchClassifier(**settings).fit(scipy.sparse.csr_array(X), y, sample_weight=weights)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool", "object", "longdouble"])
def test_rows_of_every_type_of_numbers(dtype: str) -> None:
    X, y = classified()
    rows = (np.abs(X) * 3).astype(int).astype(dtype)
    estimator = ScratchClassifier(**NUMPY, epochs=1).fit(rows, y)
    same = rows if dtype == "uint8" else rows.astype(float)  # bytes are pixels, as they are for a Model
    model = Model(6, 16, engine="numpy")
    model.fit(same, y, epochs=1)
    np.testing.assert_allclose(estimator.predict_proba(rows), model.predict_proba(same), rtol=1e-6)


def test_what_is_not_fitted_says_so() -> None:
    with pytest.raises(NotFittedError):
        ScratchRegressor().predict([[1.0]])


# --- weights -----------------------------------------------------------------------------------------------------


def test_weights_are_the_model_s_and_rows_without_weight_are_left_out() -> None:
    X, y = classified()
    weights = np.linspace(0.5, 2.0, len(X))
    estimator = ScratchClassifier(**NUMPY, epochs=2).fit(X, y, sample_weight=weights)
    model = Model(6, 16, engine="numpy")
    model.fit(X, y, epochs=2, sample_weight=weights)
    assert estimator.model_.weights == model.weights
    some = np.arange(len(X)) % 4 > 0
    left_out = ScratchClassifier(**NUMPY, epochs=2).fit(X, y, sample_weight=some.astype(float))
    assert left_out.model_.weights == ScratchClassifier(**NUMPY, epochs=2).fit(X[some], y[some]).model_.weights


@pytest.mark.parametrize(("weights", "message"), [([-1.0] * 120, "Negative"), ([0.0] * 120, "at least one non-zero")])
def test_weights_that_make_no_sense_are_refused(weights: list[float], message: str) -> None:
    X, y = classified()
    for kind in (ScratchClassifier, ScratchRegressor):
        with pytest.raises(ValueError, match=message):
            kind().fit(X, y, sample_weight=weights)


def test_class_weights() -> None:
    X, y = classified(2)
    for class_weight in ("balanced", {0: 1.0, 1: 50.0}):
        estimator = ScratchClassifier(**NUMPY, epochs=2, class_weight=class_weight).fit(X, y)
        model = Model(6, 16, engine="numpy")
        model.fit(X, y, epochs=2, class_weight=class_weight)
        assert estimator.model_.weights == model.weights


# --- learning on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array(["a", "b", "c"])])
def test_partial_fit_learns_from_parts(labels: Any) -> None:
    X, y = classified()
    y = labels[y]
    order = np.argsort(y, kind="stable")  # the first part has one class alone
    estimator, model = ScratchClassifier(**NUMPY), Model(6, 16, 3, engine="numpy")
    for k, part in enumerate(np.array_split(order, 4) * 3):
        classes = labels if k == 0 else None
        assert estimator.partial_fit(X[part], y[part], classes=classes) is estimator
        model.partial_fit(X[part], y[part], classes=labels)
    assert estimator.model_.weights == model.weights
    assert estimator.classes_.tolist() == labels.tolist() and estimator.n_iter_ == 12
    with pytest.raises(ValueError, match="not there at first"):
        estimator.partial_fit(X[:2], [labels[0], type(labels[0].item())(7)])
    with pytest.raises(ValueError, match="since the first rows"):
        estimator.partial_fit(X, y, classes=labels[:2])
    with pytest.raises(ValueError, match="features"):
        estimator.partial_fit(X[:, :3], y)


def test_partial_fit_of_numbers_and_of_several_labels() -> None:
    X, y = measured(2)
    regressor = ScratchRegressor(**NUMPY).partial_fit(X[:60], y[:60]).partial_fit(X[60:], y[60:])
    assert regressor.predict(X).shape == (120, 2) and regressor.n_iter_ == 2
    X, y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    classifier = ScratchClassifier(**NUMPY).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    assert classifier.predict(X).shape == (60, 3)
    for wrong in ([0, 1], [1, 2, 3], ["a", "b", "c"]):
        with pytest.raises(ValueError, match=r"classes of rows of 3 labels are their numbers, \[0, 1, 2\], got"):
            ScratchClassifier(**NUMPY).partial_fit(X, y, classes=wrong)


def test_a_second_fit_begins_anew_unless_it_is_to_go_on() -> None:
    X, y = classified()
    once = ScratchClassifier(**NUMPY, epochs=2).fit(X, y).model_.weights
    estimator = ScratchClassifier(**NUMPY, epochs=2)
    assert estimator.fit(X[:50], y[:50]).fit(X, y).model_.weights == once
    estimator.set_params(warm_start=True)
    model = estimator.fit(X, y).model_
    assert model.weights != once
    by_hand = Model(6, 16, engine="numpy")
    by_hand.fit(X, y, epochs=2)
    by_hand.fit(X, y, epochs=2)
    assert model.weights == by_hand.weights


def test_it_stops_early_on_rows_that_are_held_out() -> None:
    X, y = classified(rows=300)
    callbacks = [EarlyStopping(patience=1)]
    estimator = ScratchClassifier(**NUMPY, epochs=200, lr=0.5, callbacks=callbacks, validation_split=0.3).fit(X, y)
    assert estimator.n_iter_ < 200
    held_out = ScratchClassifier(**NUMPY, epochs=2).fit(X[:200], y[:200], validation_data=(X[200:], y[200:]))
    assert len(held_out.model_.history.validation_loss) == 2
    with pytest.raises(ValueError, match="validation_data must be a pair"):
        held_out.fit(X, y, validation_data=3)


# --- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3])
def test_numbers_and_rows_of_numbers(outputs: int) -> None:
    X, y = measured(outputs)
    estimator = ScratchRegressor(**NUMPY, epochs=40).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    assert estimator.score(X, y) > 0.9 and estimator.n_outputs_ == outputs
    assert estimator.score(X, y) == pytest.approx(estimator.model_.score(X, y))
    assert estimator.predict(X).tolist() == estimator.model_.predict(X)


def test_numbers_may_be_sparse() -> None:
    X, y = measured(3)
    y[y < 0.0] = 0.0
    dense, sparse = (ScratchRegressor(**NUMPY, epochs=2).fit(X, of) for of in (y, scipy.sparse.csr_array(y)))
    assert sparse.model_.weights == dense.model_.weights
    weights = np.arange(120) % 2
    ScratchRegressor(**NUMPY, epochs=1).fit(X, scipy.sparse.coo_array(y), weights, (X, scipy.sparse.csr_array(y)))


def test_targets_may_be_left_as_they_are() -> None:
    X, y = measured()
    estimator = ScratchRegressor(**NUMPY, epochs=1, target_scaling="none").fit(X, y / 100.0)
    assert estimator.model_.target_scaling.kind == "none"
    around = TransformedTargetRegressor(ScratchRegressor(**NUMPY, epochs=20), transformer=StandardScaler())
    assert around.fit(X, y).score(X, y) > 0.9


# --- company -----------------------------------------------------------------------------------------------------


def test_pipeline_with_columns_of_all_kinds() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = classified()
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    frame["colour"] = np.array(["red", "green"])[(X[:, 0] > 0).astype(int)]
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), list("abcdef")), ("names", OneHotEncoder(sparse_output=False), ["colour"])]
    )
    whole = make_pipeline(columns, ScratchClassifier(**NUMPY, epochs=5)).set_output(transform="pandas")
    whole.fit(frame, y)
    assert whole.score(frame, y) > 0.7
    names = whole[-1].feature_names_in_.tolist()
    assert names[-2:] == ["names__colour_green", "names__colour_red"]
    assert whole[-1].model_.feature_names == names
    sparse = make_pipeline(
        ColumnTransformer([("names", OneHotEncoder(), ["colour"])], sparse_threshold=1.0), ScratchClassifier(**NUMPY)
    )
    assert sparse.fit(frame, X[:, 0] > 0).score(frame, X[:, 0] > 0) == 1.0


class Epochs(Callback):
    """Counts epochs. (At a module's top, so that other processes find it.)"""

    count = 0

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.count += 1


@pytest.mark.slow
def test_grid_search_in_two_processes() -> None:
    X, y = classified()
    grid = {"scratchclassifier__hidden_size": [4, [8, 4]], "scratchclassifier__optimizer": ["sgd", Adam(0.01)]}
    whole = make_pipeline(StandardScaler(), ScratchClassifier(epochs=3, callbacks=[Epochs()]))
    results = [GridSearchCV(whole, grid, cv=3, n_jobs=jobs).fit(X, y) for jobs in (None, 2)]
    scores = [result.cv_results_["mean_test_score"].tolist() for result in results]
    assert scores[0] == scores[1]
    found = results[1].best_estimator_[-1].model_
    assert found.weights == results[0].best_estimator_[-1].model_.weights  # lanes: in any process to the last bit


def test_scores_of_cross_validation() -> None:
    X, y = classified()
    estimator = ScratchClassifier(**NUMPY, epochs=5)
    assert cross_val_score(estimator, X, y, cv=3).min() > 0.5
    assert cross_val_predict(estimator, X, y, cv=3, method="predict_proba").shape == (120, 3)
    assert cross_val_score(ScratchRegressor(**NUMPY, epochs=30), *measured(), cv=3).min() > 0.8


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_and_bagging(method: str) -> None:
    X, y = classified()
    estimator = ScratchClassifier(**NUMPY, epochs=3)
    calibrated = CalibratedClassifierCV(estimator, method=method, cv=2).fit(X, y, sample_weight=np.ones(len(y)))
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    bags = BaggingClassifier(estimator, n_estimators=3, random_state=0).fit(X, y)
    seeds = {member.random_state for member in bags.estimators_}
    assert len(seeds) == 3 and bags.score(X, y) > 0.6


@pytest.mark.parametrize("engine", ["lanes", "linalg", "numpy"])
def test_files_and_clones(engine: str, tmp_path: Path) -> None:
    X, y = classified(2)
    for estimator in (ScratchClassifier(8, engine=engine, epochs=2), ScratchRegressor(8, engine=engine, epochs=2)):
        fitted = estimator.fit(X, y)
        joblib.dump(fitted, tmp_path / "estimator.joblib")
        for again in (joblib.load(tmp_path / "estimator.joblib"), pickle.loads(pickle.dumps(fitted))):
            assert again.predict(X).tolist() == fitted.predict(X).tolist()
            assert again.get_params() == fitted.get_params()
            again.set_params(warm_start=True).fit(X, y)
        twin = clone(fitted)
        assert not hasattr(twin, "model_") and twin.get_params() == fitted.get_params()
        assert twin.fit(X, y).model_.weights == fitted.model_.weights


def test_weights_find_their_way_through_a_pipeline() -> None:
    X, y = classified()
    weights = np.linspace(0.5, 2.0, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        last = ScratchClassifier(**NUMPY, epochs=2).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        whole = make_pipeline(scaler, last).fit(X, y, sample_weight=weights)
    rows = whole[0].transform(X)
    assert whole[-1].model_.weights == clone(last).fit(rows, y, sample_weight=weights).model_.weights


def test_objects_as_parameters_can_be_cloned() -> None:
    from scratchnn.engines.arrays import ArrayEngine

    X, y = classified()
    engine = ArrayEngine("numpy", dtype="float32")
    estimator = ScratchClassifier(engine=engine, optimizer=SGD(0.05), callbacks=[Epochs()], epochs=2)
    assert clone(estimator).fit(X, y).callbacks[0].count == 2


# --- where scikit-learn is missing, or too old -------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["sys.modules['sklearn'] = None", "import sklearn.utils.validation as v; del v.validate_data"]
)
def test_a_missing_or_old_scikit_learn_is_said_in_one_line(state: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{state}\nimport scratchnn.interop.sklearn"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: scratchnn.interop.sklearn needs scikit-learn 1.6 or later")
    assert "python -m pip install 'scikit-learn>=1.6'" in last
    assert "During handling" not in result.stderr
