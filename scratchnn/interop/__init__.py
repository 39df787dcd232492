"""The wing of the house that talks to other projects' types and formats: scikit-learn, ONNX, safetensors, exports.

It imports the core, which never imports it. Each file is named after what it talks to, and loads that only when it is
asked to; formats are written and read with the standard library.

    from scratchnn import interop
    interop.onnx.save_model(model, "model.onnx")
"""

from importlib import import_module
from types import ModuleType

# The files that are for users; each is loaded when it is first asked for.
_FILES = ("making", "onnx", "safetensors", "sklearn", "sklearn_models")

__all__ = [*_FILES]


def __getattr__(name: str) -> ModuleType:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})
