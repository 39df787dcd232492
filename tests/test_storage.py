"""Saved models: written whole or not at all, and read without running anything."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Linear, Model, ModelFileError, storage

DESCRIPTION: dict[str, Any] = {"layers": [1, 2.5, "three", None, True], "weights": {"a": b"\0\1"}}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def wrap(payload: bytes, **changes: Any) -> bytes:
    """A model file around any payload, with the right checksum."""
    outer = {
        "format": storage.FORMAT,
        "version": storage.VERSION,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "payload": payload,
    }
    return pickle.dumps({**outer, **changes}, protocol=4)


# --- there and back ----------------------------------------------------------------------------------------


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    for path in (tmp_path / "model.pkl", str(tmp_path / "a name with spaces é.pkl")):
        storage.save(path, DESCRIPTION)
        assert storage.load(path) == DESCRIPTION


@given(st.lists(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3), min_size=1, max_size=4))
def test_matrices_are_kept_to_the_last_bit(rows: list[list[float]]) -> None:
    packed = storage.pack_matrix(rows)
    assert packed["shape"] == [len(rows), 3]
    again = storage.unpack_matrix(packed)
    assert [[v.hex() for v in row] for row in again] == [[v.hex() for v in row] for row in rows]


def test_doubles_are_little_endian_on_every_machine() -> None:
    assert storage.pack_matrix([[1.0]])["doubles"] == b"\0\0\0\0\0\0\xf0\x3f"


def test_a_matrix_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ModelFileError, match="a matrix of 2x3 needs 48 bytes, got 8"):
        storage.unpack_matrix({"shape": [2, 3], "doubles": b"12345678"})


def test_the_same_description_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        storage.save(tmp_path / name, DESCRIPTION)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# --- nothing already saved is ever lost --------------------------------------------------------------------


class FullDisk(io.FileIO):
    """A file on a disk with no room left."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: Any, **settings: Any) -> Any:
        raise error

    return fail


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "open", lambda path, mode: FullDisk(path, "w"), raising=False)


def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fail_with(OSError(errno.EIO, "Input/output error")))


def no_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", fail_with(PermissionError(errno.EACCES, "Permission denied")))


@pytest.mark.parametrize("failure", [full_disk, no_sync, no_replace])
@pytest.mark.parametrize("existing", [True, False])
def test_a_save_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Callable[[pytest.MonkeyPatch], None], existing: bool
) -> None:
    path = tmp_path / "model.pkl"
    if existing:
        storage.save(path, DESCRIPTION)
    with monkeypatch.context() as patch:
        failure(patch)
        with pytest.raises(OSError, match=r"cannot be written: .*model\.pkl"):
            storage.save(path, {"other": 1})
    assert os.listdir(tmp_path) == (["model.pkl"] if existing else [])
    if existing:
        assert storage.load(path) == DESCRIPTION


def test_an_interruption_while_saving_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pkl"
    storage.save(path, DESCRIPTION)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            storage.save(path, {"other": 1})
    assert os.listdir(tmp_path) == ["model.pkl"]
    assert storage.load(path) == DESCRIPTION


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    storage.save(path, DESCRIPTION)
    replace = os.replace

    def watch(source: str, target: str) -> None:
        assert storage.load(path) == DESCRIPTION
        assert storage.load(source) == {"new": 1}
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    storage.save(path, {"new": 1})
    assert storage.load(path) == {"new": 1}


class Unreadable:
    """Of a class of its own: the reader of model files would refuse it."""


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    storage.save(path, DESCRIPTION)
    with pytest.raises(ValueError, match="Unreadable"):
        storage.save(path, {"thing": Unreadable()})
    assert storage.load(path) == DESCRIPTION


@posix
def test_a_replaced_file_hands_on_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    storage.save(path, DESCRIPTION)
    for mode in (0o600, 0o640, 0o664):
        path.chmod(mode)
        storage.save(path, DESCRIPTION)
        assert permissions(path) == mode


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    storage.save(tmp_path / "model.pkl", DESCRIPTION)
    (tmp_path / "any").touch()
    assert permissions(tmp_path / "model.pkl") == permissions(tmp_path / "any")


@posix
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "latest.pkl"
    link.symlink_to(folder / "model.pkl")
    for description in (DESCRIPTION, {"second": 2}):
        storage.save(link, description)
        assert link.is_symlink()
        assert storage.load(folder / "model.pkl") == description
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "latest.pkl"]
    assert os.listdir(folder) == ["model.pkl"]


@posix
def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        storage.check_writable(pipe)
        storage.save(pipe, {"a": 1})
        assert os.read(reader, 10_000)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


# --- a place that cannot be written is found before training -----------------------------------------------


def test_a_good_place_is_left_untouched_by_the_check(tmp_path: Path) -> None:
    storage.check_writable(tmp_path / "new.pkl")
    assert os.listdir(tmp_path) == []
    (tmp_path / "old.pkl").write_bytes(b"old")
    storage.check_writable(tmp_path / "old.pkl")
    assert os.listdir(tmp_path) == ["old.pkl"]
    assert (tmp_path / "old.pkl").read_bytes() == b"old"


def test_a_name_without_a_folder_is_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage.check_writable("model.pkl")
    storage.save("model.pkl", DESCRIPTION)
    assert os.listdir(tmp_path) == ["model.pkl"]


def test_a_directory_is_no_place(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path) + os.sep, os.path.join(str(tmp_path), "new") + os.sep):
        with pytest.raises(IsADirectoryError, match="a directory, expected a file to save to"):
            storage.check_writable(path)
    with pytest.raises(IsADirectoryError, match=r"^'': a directory, expected a file to save to"):
        storage.check_writable("")


def test_a_missing_folder_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model.pkl: there is no folder .*nowhere"):
        storage.check_writable(tmp_path / "nowhere" / "model.pkl")


def test_a_folder_that_is_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"there is no folder .*file"):
        storage.check_writable(tmp_path / "file" / "model.pkl")


def test_a_folder_where_nothing_can_be_made_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = fail_with(OSError(errno.EROFS, os.strerror(errno.EROFS)))
    monkeypatch.setattr(storage, "open", refuse, raising=False)
    with pytest.raises(OSError, match=r"model\.pkl: cannot be written: Read-only file system"):
        storage.check_writable(tmp_path / "model.pkl")


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_no_place(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match="cannot be written: Permission denied"):
            storage.check_writable(tmp_path / "model.pkl")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_was_made_read_only_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    storage.save(path, DESCRIPTION)
    monkeypatch.setattr(os, "access", lambda name, mode: not (mode & os.W_OK and os.fspath(name) == str(path)))
    for attempt in (storage.check_writable, lambda p: storage.save(p, {})):
        with pytest.raises(PermissionError, match=r"model\.pkl: cannot be written: the file is read-only"):
            attempt(path)
    assert storage.load(path) == DESCRIPTION


# --- files from anywhere -----------------------------------------------------------------------------------


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("inside", [False, True], ids=["as the file", "inside a well-formed file"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path, protocol: int, inside: bool) -> None:
    folder, path = tmp_path / "made by the bomb", tmp_path / "model.pkl"
    bomb = pickle.dumps({"weights": Bomb(str(folder))}, protocol=protocol)
    path.write_bytes(wrap(bomb) if inside else bomb)
    with pytest.raises(ModelFileError, match="plain data only"):
        Model.load(path)
    assert not folder.exists()
    pickle.loads(bomb)  # the bomb is a real one
    assert folder.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02Pan object elsewhere\n.",
        b"(S'true'\nios\nsystem\n.",
    ],
)
def test_pickles_written_by_hand_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="not a scratchnn model, or a damaged one"):
        storage.load(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"label,pixel0\n1,2\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x1f\x8b\x08\0\0\0\0\0",
        b"\0" * 100,
        pickle.dumps([1, 2, 3]),
        pickle.dumps({"format": "something else"}),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"model\.pkl: not a scratchnn model") as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_a_later_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(wrap(pickle.dumps({}), version=99))
    with pytest.raises(ModelFileError, match="format version 99, this program reads version 1"):
        Model.load(path)


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nothing\.pkl: no such file"):
        Model.load(tmp_path / "nothing.pkl")
    with pytest.raises(ModelFileError, match="a directory, expected a saved model"):
        Model.load(tmp_path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = fail_with(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    monkeypatch.setattr(storage, "open", refuse, raising=False)
    with pytest.raises(ModelFileError, match=r"model\.pkl: cannot be read: Permission denied"):
        storage.load(tmp_path / "model.pkl")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small model as a file."""
    path = tmp_path_factory.mktemp("saved") / "model.pkl"
    model = Model(2, 3, 2)
    model.fit([[0.0, 1.0], [1.0, 0.0]], ["no", "yes"], epochs=1)
    model.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged copies of it go."""
    return tmp_path_factory.mktemp("damaged") / "model.pkl"


@given(fraction=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_short_anywhere_is_refused(saved: bytes, place: Path, fraction: float) -> None:
    place.write_bytes(saved[: int(fraction * len(saved))])
    with pytest.raises(ModelFileError) as caught:
        Model.load(place)
    assert "\n" not in str(caught.value)


@given(fraction=st.floats(0.0, 1.0, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_is_noticed_or_changes_nothing(saved: bytes, place: Path, fraction: float, bits: int) -> None:
    damaged = bytearray(saved)
    damaged[int(fraction * len(saved))] ^= bits
    place.write_bytes(damaged)
    # A few bytes (of a frame's length, say) carry nothing: with those the model is whole.
    with suppress(ModelFileError):
        Model.load(place).save(place)
        assert place.read_bytes() == saved


def damaged_parts() -> list[Any]:
    return [
        pytest.param(lambda d: d.pop("layers"), id="no layers"),
        pytest.param(lambda d: d.update(loss="hinge"), id="unknown loss"),
        pytest.param(lambda d: d.update(layers=[{"kind": "Model"}]), id="no layer"),
        pytest.param(lambda d: d.update(layers=[{"kind": "Linear", "inputs": 2}]), id="half a layer"),
        pytest.param(lambda d: d.update(input_shape=[7]), id="another width"),
        pytest.param(lambda d: d.update(input_shape=7), id="no shape"),
        pytest.param(lambda d: d["weights"].pop(), id="a weight too few"),
        pytest.param(lambda d: d["weights"][0].update(shape=[3, 2]), id="another shape"),
        pytest.param(lambda d: d["weights"][0].update(doubles=b""), id="no numbers"),
        pytest.param(lambda d: d.update(classes=None), id="no classes"),
        pytest.param(lambda d: d.update(scaling=[1]), id="no scaling"),
    ]


@pytest.mark.parametrize("damage", damaged_parts())
def test_parts_that_do_not_fit_together_are_refused(
    saved: bytes, tmp_path: Path, damage: Callable[[dict[str, Any]], Any]
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(saved)
    description = storage.load(path)
    damage(description)
    storage.save(path, description)
    with pytest.raises(ModelFileError, match=r"model\.pkl: the parts of this model do not fit together") as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)


def test_a_description_that_is_no_description_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(wrap(pickle.dumps(5)))
    with pytest.raises(ModelFileError):
        Model.load(path)


def test_loading_needs_no_name_outside_plain_data(saved: bytes) -> None:
    class Strict(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            raise AssertionError(f"{module}.{name}")

    outer = Strict(io.BytesIO(saved)).load()
    assert Strict(io.BytesIO(outer["payload"])).load()["task"] == "classification"


def test_a_loss_or_layer_of_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    class Mine(Linear):
        pass

    model = Model.from_layers([Mine(2, 2)])
    with pytest.raises(ValueError, match="only layers of scratchnn can be saved, not Mine"):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []
