"""Datasets: reading data files (CSV, IDX), fetching MNIST, splitting rows, and the digits that come along."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .__main__ import main as main
    from .dataset import Dataset as Dataset
    from .dataset import blobs as blobs
    from .dataset import checkerboard as checkerboard
    from .dataset import circles as circles
    from .dataset import digits_folder as digits_folder
    from .dataset import images_in as images_in
    from .dataset import iter_csv as iter_csv
    from .dataset import load_csv as load_csv
    from .dataset import load_digits as load_digits
    from .dataset import load_idx as load_idx
    from .dataset import load_images as load_images
    from .dataset import moons as moons
    from .dataset import noisy_line as noisy_line
    from .dataset import one_hot as one_hot
    from .dataset import spirals as spirals
    from .dataset import train_test_split as train_test_split
    from .dataset import xor as xor

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Dataset": "dataset",
    "blobs": "dataset",
    "checkerboard": "dataset",
    "circles": "dataset",
    "digits_folder": "dataset",
    "images_in": "dataset",
    "iter_csv": "dataset",
    "load_csv": "dataset",
    "load_digits": "dataset",
    "load_idx": "dataset",
    "load_images": "dataset",
    "main": "__main__",
    "moons": "dataset",
    "noisy_line": "dataset",
    "one_hot": "dataset",
    "spirals": "dataset",
    "train_test_split": "dataset",
    "xor": "dataset",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
