"""Metrics: how well answers agree with what is true. Pure functions on sequences, which know no model.

Names, arguments and values are scikit-learn's: ``y_true`` comes first, keywords are keywords, and results are plain
numbers, lists and dicts. What was given wrongly is a ``DataError`` or an ``ArgumentError``, both of which are
``ValueError``; what is given rightly and yet defines no value is an ``UndefinedMetricWarning``.

    from scratchnn import metrics
    metrics.f1_score(y_test, model.predict(X_test), average="macro")
"""

from .. import lazily

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "accuracy_score": "classification",
    "confusion_matrix": "classification",
    "f1_score": "classification",
    "fbeta_score": "classification",
    "precision_recall_fscore_support": "classification",
    "precision_score": "classification",
    "recall_score": "classification",
    "unique_labels": "classification",
    "log_loss": "probabilities",
    "roc_auc_score": "probabilities",
    "top_k_accuracy_score": "probabilities",
    "mean_absolute_error": "regression",
    "mean_squared_error": "regression",
    "r2_score": "regression",
    "root_mean_squared_error": "regression",
    "classification_report": "report",
    "UndefinedMetricWarning": "inputs",
}

__all__ = [*_HOMES]
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
