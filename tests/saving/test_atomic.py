"""Files that are written whole or not at all, and locks that no dead process keeps."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scratchnn.saving import atomic
from scratchnn.saving.atomic import Lock, check_writable, write_atomically

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks as POSIX has them")
as_root = hasattr(os, "geteuid") and os.geteuid() == 0


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- nothing already saved is ever lost --------------------------------------------------------------------


class FullDisk(io.FileIO):
    """A file on a disk with no room left."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: Any, **settings: Any) -> Any:
        raise error

    return fail


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "open", lambda file, mode: FullDisk(file, "w"), raising=False)


def no_room_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", fail_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))


def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fail_with(OSError(errno.EIO, "Input/output error")))


def no_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", fail_with(PermissionError(errno.EACCES, "Permission denied")))


@pytest.mark.parametrize("failure", [full_disk, no_room_for_a_name, no_sync, no_replace])
@pytest.mark.parametrize("existing", [True, False])
def test_a_write_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Callable[[pytest.MonkeyPatch], None], existing: bool
) -> None:
    path = tmp_path / "model.pkl"
    if existing:
        path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        failure(patch)
        with pytest.raises(OSError, match=r"cannot be written: .*model\.pkl"):
            write_atomically(path, b"new")
    assert os.listdir(tmp_path) == (["model.pkl"] if existing else [])
    if existing:
        assert path.read_bytes() == b"old"


def test_an_interruption_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["model.pkl"]
    assert path.read_bytes() == b"old"


def test_the_old_file_is_there_until_the_new_one_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    happened: list[str] = []
    replace, fsync = os.replace, os.fsync

    def watch_replace(source: str, target: str) -> None:
        assert path.read_bytes() == b"old"
        assert Path(source).read_bytes() == b"new"
        assert Path(source).parent == tmp_path
        happened.append("replace")
        replace(source, target)

    def watch_fsync(descriptor: int) -> None:
        happened.append("sync of the folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync of the file")
        fsync(descriptor)

    monkeypatch.setattr(os, "replace", watch_replace)
    monkeypatch.setattr(os, "fsync", watch_fsync)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    folder_too = ["sync of the folder"] if os.name == "posix" else []
    assert happened == ["sync of the file", "replace", *folder_too]


@posix
def test_a_replaced_file_hands_on_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.touch()
    for mode in (0o600, 0o640, 0o664):
        path.chmod(mode)
        write_atomically(path, b"new")
        assert permissions(path) == mode


@posix
@pytest.mark.skipif(not as_root, reason="only root can give files away")
def test_a_replaced_file_hands_on_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.touch()
    os.chown(path, 12345, 23456)
    write_atomically(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@posix
def test_what_was_secret_is_never_readable_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    path.touch(mode=0o600)
    seen = []
    chmod = os.chmod

    def watch(part: str, mode: int) -> None:
        seen.append(permissions(Path(part)))
        chmod(part, mode)

    monkeypatch.setattr(os, "chmod", watch)
    write_atomically(path, b"new")
    assert seen == [0o600]


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "model.pkl", b"new")
    (tmp_path / "any").touch()
    assert permissions(tmp_path / "model.pkl") == permissions(tmp_path / "any")


@posix
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "latest.pkl"
    link.symlink_to(folder / "model.pkl")
    for data in (b"first", b"second"):
        write_atomically(link, data)
        assert link.is_symlink()
        assert (folder / "model.pkl").read_bytes() == data
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "latest.pkl"]
    assert os.listdir(folder) == ["model.pkl"]


@posix
def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_writable(pipe)
        write_atomically(pipe, b"new")
        assert os.read(reader, 100) == b"new"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 60 + "m" * 120)
    write_atomically(path, b"new")
    assert os.listdir(tmp_path) == [path.name]


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    for attempt in (check_writable, lambda name: write_atomically(name, b"new"), Lock):
        with pytest.raises(ValueError, match="no file can have this name"):
            attempt(str(tmp_path / "a\0b"))


# --- litter ------------------------------------------------------------------------------------------------


def test_what_a_dead_process_left_half_written_is_removed_by_the_next_save(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    others = [".model.pkl.part", ".model.pkl.notes.part", ".other.pkl.12-0.part", "model.pkl.12-0.part"]
    for name in [".model.pkl.4194305-0.part", ".model.pkl.12-3.part", ".model.pkl.12.part", *others]:
        (tmp_path / name).write_bytes(b"half")
    write_atomically(path, b"new")
    assert sorted(os.listdir(tmp_path)) == sorted(["model.pkl", *others])


def test_what_another_save_is_writing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    descriptor, part = atomic._create_beside(str(path), 0o666)
    write_atomically(path, b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([os.path.basename(part), "model.pkl"])
    os.close(descriptor)
    write_atomically(path, b"newer")
    assert os.listdir(tmp_path) == ["model.pkl"]


@posix
def test_a_link_with_the_name_of_litter_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"data")
    (tmp_path / ".model.pkl.12-0.part").symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "model.pkl", b"new")
    assert (tmp_path / "precious").read_bytes() == b"data"


# --- a place that cannot be written is found before training -----------------------------------------------


ATTEMPTS: list[Callable[[Any], None]] = [check_writable, lambda path: write_atomically(path, b"new")]


def test_a_good_place_is_left_untouched_by_the_check(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.pkl")
    assert os.listdir(tmp_path) == []
    (tmp_path / "old.pkl").write_bytes(b"old")
    check_writable(tmp_path / "old.pkl")
    assert os.listdir(tmp_path) == ["old.pkl"]
    assert (tmp_path / "old.pkl").read_bytes() == b"old"


def test_a_name_without_a_folder_is_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable("model.pkl")
    write_atomically("model.pkl", b"new")
    write_atomically(b"bytes.pkl", b"new")  # type: ignore[arg-type]
    assert sorted(os.listdir(tmp_path)) == ["bytes.pkl", "model.pkl"]


def test_a_directory_is_no_place(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path) + os.sep, os.path.join(str(tmp_path), "new") + os.sep):
        for attempt in ATTEMPTS:
            with pytest.raises(IsADirectoryError, match="a directory, expected the name of a file to write"):
                attempt(path)
    for attempt in ATTEMPTS:
        with pytest.raises(IsADirectoryError, match=r"^'': a directory, expected the name of a file to write"):
            attempt("")


def test_a_missing_folder_is_no_place(tmp_path: Path) -> None:
    for attempt in ATTEMPTS:
        with pytest.raises(FileNotFoundError, match=r"^\S*model\.pkl: there is no folder \S*nowhere$"):
            attempt(tmp_path / "nowhere" / "model.pkl")


def test_a_folder_that_is_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for attempt in ATTEMPTS:
        with pytest.raises(OSError, match=r"there is no folder .*file"):
            attempt(tmp_path / "file" / "model.pkl")


def test_a_folder_where_nothing_can_be_made_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", fail_with(OSError(errno.EROFS, os.strerror(errno.EROFS))))
    with pytest.raises(OSError, match=r"model\.pkl: cannot be written: Read-only file system"):
        check_writable(tmp_path / "model.pkl")


@posix
@pytest.mark.skipif(as_root, reason="nothing is read-only for root")
def test_a_read_only_folder_is_no_place(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match="cannot be written: Permission denied"):
            check_writable(tmp_path / "model.pkl")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_was_made_read_only_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda name, mode: not (mode & os.W_OK and os.fspath(name) == str(path)))
    for attempt in ATTEMPTS:
        with pytest.raises(PermissionError, match=r"model\.pkl: cannot be written: the file is read-only"):
            attempt(path)
    assert path.read_bytes() == b"old"


# --- locks -------------------------------------------------------------------------------------------------


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    for _ in range(2):
        with Lock(path):
            assert os.listdir(tmp_path) == [".run.checkpoint.lock"]
        assert os.listdir(tmp_path) == []


def test_a_second_one_in_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with Lock(path):
        with pytest.raises(BlockingIOError, match=rf"in use by process {os.getpid()}.*run\.checkpoint"):
            Lock(path).__enter__()
        with Lock(tmp_path / "other.checkpoint"):
            pass
    with Lock(path):
        pass


@contextmanager
def process_with_the_lock(path: Path) -> Iterator[subprocess.Popen[str]]:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from scratchnn.saving.atomic import Lock\nwith Lock({str(path)!r}):\n"
        "    print('locked', flush=True)\n    input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with process_with_the_lock(path) as process:
        for name in (path, str(path)):
            with pytest.raises(BlockingIOError, match=f"in use by process {process.pid}: wait for it") as caught:
                Lock(name).__enter__()
            assert caught.value.filename == str(path)


def test_a_process_that_was_killed_keeps_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with process_with_the_lock(path) as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".run.checkpoint.lock").exists()
        with Lock(path):
            assert (tmp_path / ".run.checkpoint.lock").read_text() == str(os.getpid())
    assert os.listdir(tmp_path) == []


@posix
def test_a_link_and_its_target_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "run.checkpoint")
    with Lock(tmp_path / "link"), pytest.raises(BlockingIOError):
        Lock(tmp_path / "run.checkpoint").__enter__()


def test_a_lock_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="cannot be locked: No such file or directory"):
        Lock(tmp_path / "nowhere" / "run.checkpoint").__enter__()


@posix
@pytest.mark.parametrize(
    ("link", "what"), [(os.symlink, "a symbolic link"), (os.link, "a file with other names as well")]
)
def test_what_a_link_with_the_name_of_a_lock_points_to_is_left_alone(
    tmp_path: Path, link: Callable[[Path, Path], None], what: str
) -> None:
    """Whoever may write to the folder knows this name, and may not be allowed to write to what he links to."""
    precious = tmp_path / "precious"
    precious.write_text("4711")  # looks like the number of a process
    link(precious, tmp_path / ".run.checkpoint.lock")
    with pytest.raises(OSError, match=rf"cannot be locked: .*\.lock is {what}.*: remove it: '.*run\.checkpoint'$"):
        Lock(tmp_path / "run.checkpoint").__enter__()
    assert precious.read_text() == "4711"


@posix
def test_a_link_to_nothing_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / ".run.checkpoint.lock").symlink_to(tmp_path / "new")
    with pytest.raises(OSError, match="is a symbolic link"):
        Lock(tmp_path / "run.checkpoint").__enter__()
    assert not (tmp_path / "new").exists()


@posix
def test_what_has_the_name_of_a_lock_and_is_none_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / ".run.checkpoint.lock"
    path.write_text("my notes on locks")
    with pytest.raises(OSError, match=r"\.lock is no lock file, expected"):
        Lock(tmp_path / "run.checkpoint").__enter__()
    assert path.read_text() == "my notes on locks"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"\.lock is no file, expected"):
        Lock(tmp_path / "run.checkpoint").__enter__()


@posix
def test_a_lock_that_was_removed_is_put_back_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with Lock(path) as lock:
        lock.hold()
        for _ in range(2):
            (tmp_path / ".run.checkpoint.lock").unlink()
            lock.hold()
            with pytest.raises(BlockingIOError, match=f"in use by process {os.getpid()}"):
                Lock(path).__enter__()
    assert os.listdir(tmp_path) == []


@posix
def test_a_lock_that_was_removed_and_taken_by_another_is_lost_for_good(tmp_path: Path) -> None:
    """Two runs in one file: only the second may write to it from then on, and it is not disturbed by the first."""
    path = tmp_path / "run.checkpoint"
    with Lock(path) as first:
        (tmp_path / ".run.checkpoint.lock").unlink()
        with Lock(path) as second:
            for _ in range(2):
                with pytest.raises(BlockingIOError, match="in use by"):
                    first.hold()
            second.hold()
        with pytest.raises(BlockingIOError, match="in use by"):
            first.hold()  # the file has the other's results now


@posix
def test_the_end_of_a_lost_lock_leaves_the_new_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with Lock(path):
        (tmp_path / ".run.checkpoint.lock").unlink()
        second = Lock(path).__enter__()
    with pytest.raises(BlockingIOError):
        Lock(path).__enter__()
    second.__exit__()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A process that was killed while a child of it lives on: the lock is free, as if there were no child."""
    path = tmp_path / "run.checkpoint"
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from scratchnn.saving.atomic import Lock\n"
        f"with Lock({str(path)!r}) as lock:\n"
        "    if not os.fork():\n"
        "        try:\n"
        "            lock.hold()\n"
        "        except OSError as error:\n"
        "            print(error.strerror, flush=True)\n"
        "        input()\n"
        "        sys.exit()\n"  # leaves the child's with block, which is not its to unlock
        "    os.kill(os.getpid(), 9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "the lock is not held by this process\n"
        process.wait()
        with Lock(path) as lock:
            process.stdin.close()
            assert process.stdout.read() == ""  # the child is at its end
            assert os.listdir(tmp_path) == [".run.checkpoint.lock"]
            lock.hold()


def test_names_that_lead_to_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert atomic.same_file("a", "./b/../a")
    assert atomic.same_file("a", tmp_path / "a")
    assert not atomic.same_file("a", "b")
    Path("a").touch()
    assert not atomic.same_file("a", "b")
    if os.name == "posix":
        os.symlink("a", "soft")
        os.symlink("nowhere", "loose")
        os.link("a", "hard")
        assert (
            atomic.same_file("a", "soft") and atomic.same_file("hard", "soft") and atomic.same_file("loose", "nowhere")
        )


@posix
def test_a_lock_whose_file_is_removed_by_its_last_owner_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who wait for one lock must not end up with one file each."""
    path = tmp_path / "run.checkpoint"
    lock_file = atomic.lock_file
    removed = []

    def meanwhile(descriptor: int, wait: bool = False) -> bool:
        if not removed:
            os.unlink(tmp_path / ".run.checkpoint.lock")
            removed.append(True)
        return lock_file(descriptor, wait)

    monkeypatch.setattr(atomic, "lock_file", meanwhile)
    with Lock(path):
        with pytest.raises(BlockingIOError):
            Lock(path).__enter__()
        assert os.listdir(tmp_path) == [".run.checkpoint.lock"]
