"""What the tests of ONNX share: the real packages, or a skip, and asking onnxruntime."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from scratchnn import Model

TYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}


def package(name: str) -> Any:
    """A package, or a skip with the reason; what it warns of while it is loaded is its own concern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def run(content: bytes, rows: Any) -> dict[str, Any]:
    """What onnxruntime says for rows, by the names of the outputs."""
    np, onnxruntime = package("numpy"), package("onnxruntime")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    fed = np.array(rows, dtype=TYPES[port.type]).reshape(len(rows), *port.shape[1:])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, {port.name: fed})))


def difference(content: bytes, model: Model, rows: Any) -> tuple[float, list[Any], list[Any]]:
    """(the largest difference of probabilities, or of values as a share of the largest; labels here and there)."""
    np = package("numpy")
    found = run(content, rows)
    if model.task == "regression":
        values = found["values"]
        wanted = np.array(model.predict(rows)).reshape(values.shape)
        return float(abs(values - wanted).max() / abs(wanted).max()), [], []
    wanted = np.array(model.predict_proba(rows))
    return float(abs(found["probabilities"] - wanted).max()), found["label"].tolist(), model.predict(rows)
