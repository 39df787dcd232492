"""Datasets: reading data files (CSV, IDX), fetching MNIST, splitting rows, and the digits that come along."""

from .. import lazily

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Dataset": "dataset",
    "blobs": ".toys",
    "checkerboard": ".toys",
    "circles": ".toys",
    "digits_folder": "dataset",
    "images_in": "dataset",
    "iter_csv": "dataset",
    "load_csv": "dataset",
    "load_digits": "dataset",
    "load_idx": "dataset",
    "load_images": "dataset",
    "main": "__main__",
    "moons": ".toys",
    "noisy_line": ".toys",
    "one_hot": ".preprocessing.labels",
    "spirals": ".toys",
    "train_test_split": "dataset",
    "xor": ".toys",
}

__all__ = [*_HOMES]
__getattr__ = lazily(__name__, _HOMES)
