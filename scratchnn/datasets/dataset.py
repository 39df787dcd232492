"""Getting data: CSV files, MNIST's own files, the digits that come along, toy sets, and rows held out for a test.

    train, test = load_digits()
    X, y = load_csv("flowers.csv", label="species")

Whatever is wrong with a file is a ``DataError`` (a ``ValueError``) of one line that names file, line and column.
The reading is done in rooms of its own, which nothing else enters: csv_reader.py (with csv_dialect.py and
pixel_text.py) and idx_reader.py, all on data_file.py; the downloading in download.py, by the command
``python -m scratchnn.datasets mnist --to DIR``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from math import ceil
from random import Random
from typing import Any

from ..checks import finite_number, require_size, shown, shown_path
from ..errors import ArgumentError, DataError
from ..preprocessing.rows import Row
from ..shuffle import rows_by_label, shuffle
from .csv_dialect import CsvOptions, LabelColumn
from .csv_reader import CsvTable, read_csv, read_csv_in_pieces
from .data_file import MAX_LINE_BYTES, Path, Source
from .idx_reader import idx_files, is_idx, read_idx_images, read_idx_labels


class Dataset:
    """Rows with their labels, and what is known about them. ``X, y = dataset`` unpacks it.

    X: the rows, ``bytes`` (0-255 pixels, one byte each), arrays or lists of floats; all of one kind and width
    y: a label a row, all ints or all strings; floats for regression; [] for rows without labels
    classes: the different labels, sorted; [] for regression
    feature_names: the columns of X by name; [] if the file had no header line
    label_name: the label column's name, or None
    label_position: its position among the file's columns, from 0, or None
    source: the file it was read from, or ""
    """

    def __init__(
        self,
        X: list[Row],
        y: list[Any],
        *,
        classes: Sequence[Any] = (),
        feature_names: Sequence[str] = (),
        label_name: str | None = None,
        label_position: int | None = None,
        source: str = "",
    ) -> None:
        for what, values in (("X", X), ("y", y)):
            listed = isinstance(values, Sequence) and not isinstance(values, (str, bytes))
            if not listed and not hasattr(values, "tolist"):
                raise DataError(f"{what} of a Dataset must be a list, got {type(values).__name__}")
        if not all(hasattr(kind, "__len__") for kind in set(map(type, X))):
            raise DataError("X of a Dataset must be a list of rows")
        self.X = X
        self.y = y
        self.classes = list(classes)
        self.feature_names = list(feature_names)
        self.label_name = label_name
        self.label_position = label_position
        self.source = source

    @property
    def width(self) -> int:
        """The number of features a row."""
        return len(self.X[0]) if self.X else len(self.feature_names)

    @property
    def pixels(self) -> bool:
        """Whether rows are bytes, one a pixel."""
        return bool(self.X) and isinstance(self.X[0], bytes)

    @property
    def regression(self) -> bool:
        """Whether the labels are numbers to be predicted."""
        return bool(self.y) and not self.classes

    def __iter__(self) -> Iterator[list[Any]]:
        yield self.X
        yield self.y

    def __len__(self) -> int:
        return len(self.X)

    def _repr_html_(self) -> str:
        """What a notebook shows: how many rows there are of each class, and a few of them."""
        from ..reports.displays import dataset

        return dataset(self)

    def __repr__(self) -> str:
        kind = f", {len(self.classes)} classes" if self.classes else ""
        source = f" from {self.source!r}" if self.source else ""
        return f"<Dataset: {len(self.X)} rows, {self.width} features{kind}{source}>"

    def split(self, test_fraction: float = 0.2, seed: int = 0, stratify: bool = True) -> tuple[Dataset, Dataset]:
        """Two data sets, for training and for a test; see ``train_test_split``."""
        stratify = stratify and bool(self.classes)
        X_train, X_test, y_train, y_test = train_test_split(
            self.X, self.y, test_fraction=test_fraction, seed=seed, stratify=stratify
        )
        return self._with(X_train, y_train), self._with(X_test, y_test)

    def _with(self, X: list[Row], y: list[Any]) -> Dataset:
        known = {name: value for name, value in vars(self).items() if name not in ("X", "y")}
        return Dataset(X, y, **known)


def load_csv(
    path: Source,
    label: LabelColumn = None,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    regression: bool = False,
    classes: Sequence[Any] | None = None,
    feature_names: Sequence[str] | None = None,
    width: int | None = None,
    label_required: bool = True,
    like: Any = None,
    max_bytes: int | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Dataset:
    """Read a CSV file, plain or gzipped: one row a line, one column the label, the others numbers.

    The file is UTF-8 text with any line ends; fields may stand in quotes, which may hold delimiters, line ends and
    doubled quotes. Blank lines are skipped, spaces around a field dropped. ``path`` may also be a file that is open
    for reading bytes, such as ``sys.stdin.buffer``.

    label: the label column's name, or its position (0 is the first, -1 the last). None: a column called label,
        class, target, species or y; else the only column of text; else the first, as in MNIST's files.
    header: whether the first line holds names. None: it does if it is text where the other rows have numbers.
    delimiter: what separates fields. None: a comma, semicolon or tab, whichever fits, or blanks (any number of them).
    regression: labels are numbers to be predicted as such, not classes; they become floats.

    Labels that are all integers become ints, otherwise all stay strings. Rows are kept as ``bytes`` where they look
    like pictures: at least 16 columns, whole numbers from 0 to 255 only, and either the largest above 100 or a
    header that calls them pixel...; else they are arrays of floats (``array("d")``), eight bytes a number.

    For a file that has to fit what a model was trained on, these are checked:

    classes: the labels that may occur. Without it, two different ones are needed (except for regression).
    feature_names, width: the names (if there is a header) and the number of the columns besides the label. Named
        columns in another order are put into this one.
    label_required: False lets the label column be absent, given ``feature_names`` or ``width``; y is then [].
    like: the training data, a ``Dataset`` or the schema of a model (whatever has ``classes``, ``feature_names``,
        ``label_name`` and ``label_position``); stands for all of the above, with the label in the same column.

    max_bytes, max_line_bytes: the longest file (after unpacking) and line that are read. Without ``max_bytes`` that is
    4 GiB; and a gzipped file that unpacks to more than 16 MiB and more than 100 times its size is taken for a bomb, as
    soon as that is seen.

    Raises ``DataError`` for a file that cannot be read or used, naming the line and column as people count them,
    from 1; ``ValueError`` for arguments that make no sense.
    """
    options = CsvOptions(
        label, header, delimiter, regression, classes, feature_names, width, label_required, max_bytes, max_line_bytes
    ).checked(like)
    return _dataset(read_csv(path, options), options)


def iter_csv(path: Source, label: LabelColumn = None, *, like: Any, **options: Any) -> Iterator[Dataset]:
    """Read a CSV stream that has to fit what a model was trained on, piece by piece: a data set for the rows that have
    arrived, as soon as they have.

    ``path`` and the options are as for ``load_csv``. Rows are ``bytes`` where those of ``like`` are and all their
    numbers are whole ones from 0 to 255. Nothing is kept of a piece that was given. Raises ``DataError`` as
    ``load_csv`` does, after the rows before the wrong one.
    """
    checked = CsvOptions(label, **options).checked(like)
    for table in read_csv_in_pieces(path, checked):
        yield _dataset(table, checked)


def _dataset(table: CsvTable, options: CsvOptions) -> Dataset:
    layout = table.layout
    return Dataset(
        table.rows,
        table.labels,
        classes=[] if options.regression else options.classes or sorted(set(table.labels)),
        feature_names=layout.feature_names(),
        label_name=layout.names[layout.label] if layout.names and layout.label is not None else None,
        label_position=layout.label,
        source=table.source,
    )


def load_idx(images_path: Path, labels_path: Path | None = None, *, max_bytes: int | None = None) -> Dataset:
    """Read images and labels as MNIST was published: two IDX files of unsigned bytes, plain or gzipped.

    Rows are ``bytes``, an image each, row by row from its top left pixel; labels are ints. Without ``labels_path``,
    the labels are looked for beside the images under MNIST's naming (train-images-idx3-ubyte has its labels in
    train-labels-idx1-ubyte); where the name has no "images" in it, there are no labels, and y is [].

    Raises ``DataError`` unless both files are whole and fit each other.
    """
    if labels_path is None:
        labels_path = _labels_beside(os.fsdecode(images_path))
    rows = read_idx_images(images_path, max_bytes)
    labels = read_idx_labels(labels_path, max_bytes) if labels_path is not None else []
    if labels_path is not None and len(rows) != len(labels):
        raise DataError(
            f"{shown_path(images_path)} holds {len(rows)} images, and {shown_path(os.path.basename(labels_path))} "
            f"holds {len(labels)} labels; expected one label an image"
        )
    return Dataset(rows, labels, classes=sorted(set(labels)), source=os.fspath(images_path))


_IMAGE_FILES = {False: ("train-images",), True: ("t10k-images", "test-images")}  # by whether they are for tests


def images_in(path: str, *, test: bool = False) -> str | None:
    """The IDX file of images that a path stands for: itself, or in a folder as ``datasets mnist`` leaves it the one for
    training or, with ``test``, for tests. None if there is none."""
    if os.path.isdir(path):
        return next((file for file in idx_files(path) if os.path.basename(file).startswith(_IMAGE_FILES[test])), None)
    return path if os.path.isfile(path) and is_idx(path) else None


def load_images(images_path: str, *, like: Any = None, labelled: bool = True) -> Dataset:
    """Images as ``load_idx`` reads them, which have to fit the training data ``like``: images of as many pixels, labels
    among its classes. Without ``labelled``, no labels are read."""
    if labelled:
        data = load_idx(images_path)
    else:
        data = Dataset(read_idx_images(images_path, None), [], source=os.fspath(images_path))
    unknown = sorted(set(data.y) - set(like.classes)) if like is not None and like.classes else []
    if labelled and not data.y:
        wrong = "no labels: they are looked for in a file named after this, with labels for images"
    elif like is not None and data.width != getattr(like, "width", data.width):
        wrong = f"expected images of {like.width} pixels, got {data.width}"
    elif unknown:
        wrong = f"the label {unknown[0]} is not among the training classes"
    else:
        return data
    raise DataError(f"{shown_path(images_path)}: {wrong}")


def labels_beside(images_path: str) -> bool:
    """Whether the labels of an IDX file of images are in a file beside it."""
    path = _labels_beside(images_path)
    return path is not None and os.path.exists(path)


def _labels_beside(images_path: str) -> str | None:
    folder, name = os.path.split(images_path)
    if "images" not in name:
        return None
    name = name.replace("images", "labels").replace("idx3", "idx1")
    expected = os.path.join(folder, name)
    other = expected[:-3] if expected.endswith(".gz") else expected + ".gz"
    return other if os.path.exists(other) and not os.path.exists(expected) else expected


def train_test_split(
    X: Any, y: Any, *, test_fraction: float = 0.2, seed: int = 0, stratify: bool = True
) -> tuple[Any, Any, Any, Any]:
    """Split rows and labels at random: ``X_train, X_test, y_train, y_test``.

    X: any rows, y: a label each (or a row each: one-hot, or of one number). Lists come back for sequences; arrays,
    DataFrames, Series and sparse matrices come back as such. The test gets ``test_fraction`` of the rows, rounded up.
    With ``stratify``, every class is in both parts in the same proportion, as nearly as whole rows allow; a class with
    a single row stays in training. (Labels that are floats are values, not classes, and are never stratified.) The same
    seed gives the same parts, in the same order.

    Raises ``DataError`` for lengths that differ, fewer than two rows, labels that cannot be told apart, or that all
    occur only once, so that a test would have none; ``ValueError`` for a fraction that is not between 0 and 1.
    """
    if not 0.0 < finite_number(test_fraction) < 1.0:
        raise ArgumentError(f"test_fraction must be between 0 and 1, got {shown(test_fraction)}")
    require_size("seed", seed, 0)
    count, labels = _row_count(X, "X"), _row_count(y, "y")
    if count != labels:
        raise DataError(f"X and y must have the same length, got {count} rows and {labels} labels")
    if count < 2:
        raise DataError(f"at least two rows are needed for a training and a test part, got {count}")
    try:
        classes = _classes_of(y) if stratify else None
        groups = list(rows_by_label(classes or [None] * count).values())
        require_repeated(classes or [], hint="; or pass stratify=False")
    except TypeError:
        raise DataError("labels must be numbers or strings to be stratified; or pass stratify=False") from None
    # 1e-9: 0.07 * 100 is a little more than 7 in floating point, and 7 rows are meant.
    wanted = min(max(ceil(count * test_fraction - 1e-9), 1), count - 1)
    rng = Random(seed)
    train: list[int] = []
    test: list[int] = []
    for members, share in zip(groups, _shares(list(map(len, groups)), wanted)):
        shuffle(members, rng=rng)
        test.extend(members[:share])
        train.extend(members[share:])
    shuffle(train, rng=rng)
    shuffle(test, rng=rng)
    return _rows_at(X, train), _rows_at(X, test), _rows_at(y, train), _rows_at(y, test)


def require_repeated(labels: Collection[Any], where: str = "", hint: str = "") -> None:
    """``DataError`` if every label occurs only once: each class keeps a row in training, and then none is left."""
    if 1 < len(labels) == len(set(labels)):
        raise DataError(f"{where}none of {len(labels)} rows can be held out: every label occurs only once{hint}")


def _row_count(values: Any, name: str) -> int:
    if getattr(values, "shape", None) and hasattr(values, "tocsr"):  # a sparse matrix has no len()
        return int(values.shape[0])
    if not hasattr(values, "__len__") or not hasattr(values, "__getitem__") or isinstance(values, dict):
        raise DataError(f"{name} must be a list, got {type(values).__name__}")
    return len(values)


def _rows_at(values: Any, indices: list[int]) -> Any:
    """Some rows of what keeps its kind: a DataFrame or Series, a sparse matrix, an array; of others a list."""
    if hasattr(values, "iloc"):
        return values.iloc[indices]
    if hasattr(values, "tocsr"):
        return values.tocsr()[indices]
    if hasattr(values, "__array_interface__"):
        return values[indices]
    return [values[i] for i in indices]


def _classes_of(y: Any) -> list[Any] | None:
    """A key for each label's class, to stratify by; None for values that are no classes."""
    values = y.to_numpy() if hasattr(y, "to_numpy") else y
    labels = list(values.tolist() if hasattr(values, "tolist") else values)
    if all(isinstance(label, (list, tuple)) for label in labels):
        labels = [label[0] if len(label) == 1 else tuple(label) for label in labels]
        if any(v not in (0, 1) for label in labels if isinstance(label, tuple) for v in label):
            return None
    return None if any(isinstance(label, float) for label in labels) else labels


def _shares(sizes: list[int], wanted: int) -> list[int]:
    """How many of each group to take, ``wanted`` in all: in proportion, the rest to the largest remainders.

    Every group keeps one at least; that may leave fewer than ``wanted``, where groups are tiny.
    """
    total = sum(sizes)
    shares = [min(size * wanted // total, size - 1) for size in sizes]
    order = sorted(range(len(sizes)), key=lambda i: -(sizes[i] * wanted % total))
    while sum(shares) < wanted and any(share < size - 1 for share, size in zip(shares, sizes)):
        for i in order:
            if sum(shares) < wanted and shares[i] < sizes[i] - 1:
                shares[i] += 1
    return shares


def digits_folder() -> str:
    """The folder with the digits that come along: inside an installed package, or at the top of the repository.

    Raises ``DataError`` if they are in neither place.
    """
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the package
    folders = [os.path.join(here, "data"), os.path.join(os.path.dirname(here), "data")]
    for folder in folders:
        if os.path.isfile(os.path.join(folder, "digits_train.csv")):
            return folder
    raise DataError(f"the digits that come with scratchnn are missing: no digits_train.csv in {' or '.join(folders)}")


def load_digits() -> tuple[Dataset, Dataset]:
    """The digits that come along: 1 437 rows for training and 360 for a test, 8 x 8 pixels of 0 to 255.

    From E. Alpaydin and C. Kaynak's Optical Recognition of Handwritten Digits (see data/README.md).
    """
    folder = digits_folder()
    train = load_csv(os.path.join(folder, "digits_train.csv"), "label")
    return train, load_csv(os.path.join(folder, "digits_test.csv"), "label", like=train)
