"""Writing files such that nothing is lost: whole or not at all, and by one process at a time.

A file is written under another name beside its target, forced onto the disk, and renamed: whoever looks, whenever the
power fails, finds the old file or the new one. While it is written the system holds a lock on it, which ends with the
process, however that ends; so a half-written file without a lock is litter, and the next save to that name removes it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import count

from ..checks import shown_path
from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# For messages and for the names of helping files: the longest that fits beside most names.
_NAME_CHARACTERS = 50


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise ``OSError`` with a clear message if ``path`` cannot be written, without touching what is there.

    Meant for before a long training run, so that its result is not lost at the end for want of a folder.
    """
    name = _name_of(path)
    _refuse_bad_place(name)
    if _is_device(name):
        return
    # Permission bits do not tell the whole truth (read-only file systems): try, where the file would be written.
    try:
        descriptor, part = _create_beside(os.path.realpath(name), 0o666)
        try:
            os.close(descriptor)
        finally:
            with suppress(FileNotFoundError):  # somebody cleared up in between
                os.unlink(part)
    except OSError as error:
        raise OSError(f"{shown_path(name)}: cannot be written: {error.strerror or error}") from None


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` beside ``path``, make sure that it is on disk, then put it in place in one step.

    A file that is replaced hands on its permissions; a symbolic link stays, and what it points to is replaced. Raises
    ``OSError`` naming ``path``, and then everything is as it was.
    """
    name = _name_of(path)
    try:
        _refuse_bad_place(name)
        if _is_device(name):
            with open(name, "wb") as device:
                device.write(data)
        else:
            _replace(os.path.realpath(name), data)
    except OSError as error:
        if error.errno is None:  # one of our own, with the name in it
            raise
        raise type(error)(error.errno, f"cannot be written: {error.strerror or error}", name) from None


def _name_of(path: str | os.PathLike[str]) -> str:
    name = os.fsdecode(path)
    try:
        fine = b"\0" not in os.fsencode(name)
    except UnicodeError:
        fine = False
    if not fine:
        raise ArgumentError(f"{shown_path(name)}: no file can have this name")
    return name


def _replace(target: str, data: bytes) -> None:
    """Put a new file in the place of ``target``."""
    _remove_litter(target)
    old = os.stat(target) if os.path.isfile(target) else None
    descriptor, part = _create_beside(target, 0o666 if old is None else stat.S_IMODE(old.st_mode))
    try:
        with open(descriptor, "wb") as file:
            if old is not None:
                _hand_on_permissions(old, part)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            if os.name == "posix":  # still locked, so that nobody takes it for litter
                os.replace(part, target)
        if os.name != "posix":  # Windows moves closed files only
            os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    _sync_folder(os.path.dirname(target))


def _refuse_bad_place(name: str) -> None:
    """Raise ``OSError`` for a directory, for a file in a folder that is not there, and for a read-only file."""
    folder = os.path.dirname(os.path.realpath(name))
    if os.path.isdir(name) or not os.path.basename(name):
        raise IsADirectoryError(f"{shown_path(name) or repr(name)}: a directory, expected the name of a file to write")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{shown_path(name)}: there is no folder {shown_path(os.path.dirname(name) or folder)}")
    # Such a file could be replaced all the same; whoever made it read-only did not want that.
    if os.path.exists(name) and not os.access(name, os.W_OK):
        raise PermissionError(f"{shown_path(name)}: cannot be written: the file is read-only")


def _is_device(name: str) -> bool:
    """Whether there is something that is no file, such as /dev/null or a pipe: it is written to, never replaced."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def _hand_on_permissions(old: os.stat_result, part: str) -> None:
    """Give ``part`` the owner and the permissions of the file that it will replace, as far as we may."""
    new = os.stat(part)
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):
            os.chown(part, old.st_uid, old.st_gid)
    os.chmod(part, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    """Make sure that the new name is on disk too, where the system can do that; Windows cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- files being written -----------------------------------------------------------------------------------


def _part_name(target: str) -> tuple[str, str]:
    """(folder, first letters) of the names under which ``target`` is written, such as .model.pkl.123-0.part."""
    folder, base = os.path.split(target)
    return folder, f".{base[:_NAME_CHARACTERS]}."


def _create_beside(target: str, permissions: int) -> tuple[int, str]:
    """(descriptor, name) of a new file beside ``target``, locked so that it is not taken for litter."""
    folder, start = _part_name(target)
    for attempt in count():
        part = os.path.join(folder, f"{start}{os.getpid()}-{attempt}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), permissions)
        except FileExistsError:
            continue
        with suppress(OSError):  # a file system without locks: then nobody removes litter there either
            lock_file(descriptor, wait=True)
        if os.name != "posix" or os.fstat(descriptor).st_nlink:
            return descriptor, part
        os.close(descriptor)  # somebody who cleared up has removed it before it was locked
    raise AssertionError("count() goes on for ever")


def _remove_litter(target: str) -> None:
    """Remove what processes that died left half-written beside ``target``."""
    folder, start = _part_name(target)
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(start) and name.endswith(".part"):
            writer = name[len(start) : -len(".part")]
            if writer.replace("-", "").isdigit():
                _remove_if_abandoned(os.path.join(folder, name))


def _remove_if_abandoned(part: str) -> None:
    """Remove a half-written file unless a living process has it locked (or, on Windows, open)."""
    with suppress(OSError):
        if os.name != "posix":
            os.unlink(part)
            return
        descriptor = open_own(part, os.O_RDWR)
        try:
            if lock_file(descriptor) and is_current(descriptor, part):
                os.unlink(part)
        finally:
            os.close(descriptor)


# --- helping files and locks -------------------------------------------------------------------------------


def open_own(path: str, flags: int) -> int:
    """A descriptor of the file ``path`` itself, never of what a link with this name points to.

    For helping files, whose names anybody can guess: whoever may write to the folder could put a link there, and the
    file that it points to would be written to. So ``flags`` must not truncate. Raises ``OSError`` for a link, also for
    one of several names of a file, and for what is no file.
    """
    if os.path.islink(path):
        raise _foreign(path, "a symbolic link")
    wanted = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")  # as far as the system has them
    for name in wanted:
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o666)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise _foreign(path, "a file with other names as well" if stat.S_ISREG(found.st_mode) else "no file")


def _foreign(path: str, what: str) -> OSError:
    return OSError(errno.EEXIST, f"{path} is {what}, expected a helping file of scratchnn: remove it", path)


def is_current(descriptor: int, path: str) -> bool:
    """Whether an open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def same_file(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> bool:
    """Whether two names lead to one file, be it there or not."""
    names = [os.path.normcase(os.path.realpath(_name_of(path))) for path in (first, second)]
    return names[0] == names[1] or (all(map(os.path.exists, names)) and os.path.samefile(*names))


def lock_file(descriptor: int, wait: bool = False) -> bool:
    """Lock an open file until it is closed or the process ends; False if somebody else has it locked.

    ``wait`` waits until it is free (not on Windows). Raises ``OSError`` where the file system has no locks.
    """
    try:
        if os.name == "nt":
            import msvcrt

            # A byte far behind the end: what is locked on Windows cannot be read.
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            windows: Any = msvcrt
            windows.locking(descriptor, windows.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


class Lock:
    """``with Lock(path):`` nobody else who asks for this lock gets it, in this process or another.

    A second one who asks gets ``BlockingIOError`` with the number of the process that has it. The system itself gives
    the lock up when the process ends, however it ends; a forked child does not have it. It is held on a small file
    beside ``path``, removed at the end; one that is left by a process that was killed stands in nobody's way. If
    somebody removes that file meanwhile, others can take the lock: ``hold`` notices, before harm is done.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = _name_of(path)
        folder, base = os.path.split(os.path.realpath(self.name))
        self.path = os.path.join(folder, f".{base}.lock")
        self._descriptor = -1
        self._lost: OSError | None = None

    def __enter__(self) -> Lock:
        self._descriptor = self._take()
        if hasattr(os, "register_at_fork"):
            from weakref import ref

            this = ref(self)
            os.register_at_fork(after_in_child=lambda: _forget(this()))
        return self

    def hold(self) -> bool:
        """Make sure that nobody else has the lock; whether its file had been removed, and had to be put back.

        Raises ``BlockingIOError`` if somebody else has taken the lock since then, now and at every later call.
        """
        if self._lost is None and self._descriptor < 0:
            raise OSError(errno.EBADF, "the lock is not held by this process", self.name)
        removed = self._lost is None and not is_current(self._descriptor, self.path)
        if removed:
            try:
                descriptor = self._take()
            except BlockingIOError as error:
                self._lost = error
            else:
                os.close(self._descriptor)
                self._descriptor = descriptor
        if self._lost is not None:
            raise self._lost.with_traceback(None)
        return removed

    def _take(self) -> int:
        """A descriptor of the locked file."""
        try:
            while True:
                descriptor = self._open_locked()
                if is_current(descriptor, self.path):
                    break
                os.close(descriptor)  # its last owner has removed it meanwhile, and others would lock another one
        except OSError as error:
            if error.filename == self.name:
                raise
            raise type(error)(error.errno, f"cannot be locked: {error.strerror or error}", self.name) from None
        with suppress(OSError):  # a full disk: the number is for messages only
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def _open_locked(self) -> int:
        descriptor = self._open()
        try:
            locked = lock_file(descriptor)
            owner = os.read(descriptor, 20)
            if not locked:
                raise self._in_use(owner)
            if owner and not owner.isdigit():
                raise _foreign(self.path, "no lock file")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _open(self) -> int:
        """A descriptor of the file, whether it was there or not."""
        while True:
            with suppress(FileExistsError):
                return open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            with suppress(FileNotFoundError):  # removed between the two
                return open_own(self.path, os.O_RDWR)

    def _in_use(self, owner: bytes) -> OSError:
        who = f"process {int(owner)}" if owner.isdigit() else "another process"
        return BlockingIOError(errno.EAGAIN, f"in use by {who}: wait for it, or choose another file", self.name)

    def forget(self) -> None:
        """Let go of the lock in a forked child, whose parent keeps it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __exit__(self, *exception: object) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        ours = is_current(descriptor, self.path)
        with suppress(OSError):
            if ours and os.name == "posix":
                os.unlink(self.path)  # while it is locked: nobody else can have it yet
        os.close(descriptor)
        if ours and os.name != "posix":
            with suppress(OSError):
                os.unlink(self.path)


def _forget(lock: Lock | None) -> None:
    if lock is not None:
        lock.forget()
