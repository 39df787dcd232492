"""Workers are started, call back, and are let in when they know the key that their task was given.

They may be processes of this machine, or tasks of an executor, which then is used for nothing but to start them. They
are listened for on this machine alone (a socket of the file system where there are such, or loopback), unless the
executor turns out to run its tasks on others.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from typing import Any

from ... import __version__
from ...errors import WorkerError
from ...escapes import printable
from .messages import unpacked
from .team import TROUBLE, Leader, Member, reason
from .worker import READY, machine, serve, set_options

START_SECONDS = 60.0  # after which workers that have not called are not waited for any longer
END_SECONDS = 10.0  # the same for those that are to end
ANSWER_SECONDS = 10.0  # that somebody who calls may take, in all, to prove that it knows the key: others wait behind
KEY_BYTES = 32
ANY_PORT = 9  # of datagrams that are never sent
LOOK_EVERY = 0.2  # seconds: at processes that have ended, and tasks that have failed


class Door:
    """Where workers call. Nothing that comes in is believed, or even kept, before the caller has proved that it knows
    ``key``."""

    def __init__(self, host: str | None) -> None:
        self.key = secrets.token_bytes(KEY_BYTES)
        self._folder = ""
        if host is None and hasattr(socket, "AF_UNIX"):
            self._folder = tempfile.mkdtemp(prefix="scratchnn-")  # which nobody else can look into
            self.address: Any = os.path.join(self._folder, "door")
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(self.address)
        else:
            self._socket = socket.create_server((host or "127.0.0.1", 0))
            self.address = self._socket.getsockname()[:2]
        self._socket.listen(128)

    def next(self) -> Any:
        """The connection to the next caller that knows the key; None if there is none for the moment."""
        self._socket.settimeout(LOOK_EVERY)
        try:
            caller, _ = self._socket.accept()
        except OSError:
            return None
        caller.setblocking(True)
        set_options(caller)
        return self._let_in(caller)

    def _let_in(self, caller: socket.socket) -> Any:
        """Its connection, if it proves in time that it knows the key; else None. A limit of each read would not do, as
        it could answer byte by byte."""
        from multiprocessing import AuthenticationError
        from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

        with caller.dup() as same, Connection(caller.detach()) as connection:
            alarm = Timer(ANSWER_SECONDS, lambda: _hang_up(same))
            alarm.daemon = True
            alarm.start()
            try:
                deliver_challenge(connection, self.key)
                answer_challenge(connection, self.key)
            except (AuthenticationError, EOFError, OSError):
                return None
            finally:
                alarm.cancel()
                alarm.join()
            return Connection(same.detach())

    def close(self) -> None:
        """Nobody else is let in."""
        self._socket.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _hang_up(caller: socket.socket) -> None:
    with suppress(OSError):  # it has hung up itself, or was let in at the last moment
        caller.shutdown(socket.SHUT_RDWR)


class Processes:
    """Workers as processes of this machine, started as ``multiprocessing`` is set to."""

    named = "worker"
    hint = 'a script that uses workers needs if __name__ == "__main__", where its start method is spawn or forkserver'

    def __init__(self, count: int) -> None:
        import multiprocessing

        self.count = count
        self._context = multiprocessing.get_context()
        # A process that begins anew may end before it has read what it is handed, as without that guard; a large job
        # would then be written for ever. So it is sent when the process has called.
        self.sends_job = self._context.get_start_method() != "fork"
        self._processes: list[Any] = []

    def host(self) -> str | None:
        """Nobody calls from another machine."""
        return None

    def start(self, door: Door, job: Callable[[], Any]) -> None:
        """Have every worker call at this door."""
        for number in range(1, self.count + 1):
            arguments = door.address, door.key, number, None if self.sends_job else job()
            process = self._context.Process(target=serve, args=arguments, daemon=True, name=f"worker {number}")
            process.start()
            self._processes.append(process)

    def failed(self) -> str:
        """Why one of them will never call, in words; "" if all still may."""
        for number, process in enumerate(self._processes, 1):
            if process.exitcode is not None:
                return f"worker {number} ended before it began ({_ended(process.exitcode)}); {self.hint}"
        return ""

    def ended(self, number: int) -> str:
        """How this one ended, in words."""
        process = self._processes[number - 1]
        process.join(1.0)
        return _ended(process.exitcode)

    def end(self) -> None:
        """None of them is left. They end by themselves when nobody is there any more."""
        until = time.monotonic() + END_SECONDS
        for process in self._processes:
            process.join(max(until - time.monotonic(), 0.0))
        for process in self._processes:
            if process.is_alive():
                process.kill()
                process.join()
        self._processes = []


def _ended(exitcode: int | None) -> str:
    if exitcode is None:
        return ""
    return f"killed by signal {-exitcode}" if exitcode < 0 else f"its process ended with {exitcode}"


class Tasks:
    """Workers as tasks of an executor, which sees to it that the job arrives."""

    sends_job = False
    hint = ""

    def __init__(self, executor: Any, count: int) -> None:
        self.count = count
        self._executor = executor
        self._futures: list[Any] = []

    def host(self) -> str | None:
        """The address of this machine to listen at; None if all tasks run here, as far as is known or they say."""
        if _stays_here(self._executor):
            return None
        from concurrent.futures import TimeoutError

        here = machine()
        try:
            asked = [self._executor.submit(machine) for _ in range(self.count)]
            there = [future.result(START_SECONDS) for future in asked]
        except TimeoutError:
            raise WorkerError(_too_few(self, 0)) from None
        except Exception as error:
            raise _not_started(error) from error
        return next((_address_towards(found[0]) for found in there if found != here), None)

    def start(self, door: Door, job: Callable[[], Any]) -> None:
        """Have every worker call at this door."""
        for number in range(1, self.count + 1):
            self._futures.append(self._executor.submit(serve, door.address, door.key, number, job()))

    def failed(self) -> str:
        """Why one of them will never call, in words; "" if all still may."""
        for number, future in enumerate(self._futures, 1):
            if future.done():
                error = future.exception()
                why = f"{type(error).__name__}: {error}" if error else "it could not call back"
                return f"worker {number}, a task of {type(self._executor).__name__}, ended before it began: {why}"
        return ""

    def ended(self, number: int) -> str:
        """How this one ended, in words."""
        future = self._futures[number - 1]
        until = time.monotonic() + 1.0
        while not future.done() and time.monotonic() < until:  # not every executor's futures can be waited for
            time.sleep(0.01)
        error = future.exception() if future.done() and not future.cancelled() else None
        return f"{type(error).__name__}: {error}" if error else ""

    def end(self) -> None:
        """Take back what has not begun, and wait for the others, whose processes the executor keeps."""
        until = time.monotonic() + END_SECONDS
        for future in self._futures:
            future.cancel()
        for future in self._futures:
            while not future.done() and time.monotonic() < until:
                time.sleep(0.01)
        self._futures = []


def gathered(starter: Any, job: Callable[[], Any], data: bytes) -> Leader:
    """The team of this process and all workers of a starter, ready for the first step; or ``WorkerError``."""
    door = Door(starter.host())
    callers: dict[int, Member] = {}
    try:
        _start(starter, door, job)
        until = time.monotonic() + START_SECONDS
        while len(callers) < starter.count:
            connection = door.next()
            called = None if connection is None else _member(connection, starter, until)
            if called is not None:
                member, number = called
                callers[number] = member
                if starter.sends_job:
                    _send_job(member, starter, job())
                _hand_over(member, data)
            problem = starter.failed()
            if problem:
                raise WorkerError(problem)
            if time.monotonic() > until:
                raise WorkerError(_too_few(starter, len(callers)))
        members = [callers[number] for number in sorted(callers)]
        for member in members:
            _require_ready(member)
    except BaseException:
        door.close()  # first, so that nobody who begins late waits for an answer
        for member in callers.values():
            member.connection.close()
        starter.end()
        raise
    door.close()
    return Leader(members)


def _start(starter: Any, door: Door, job: Callable[[], Any]) -> None:
    try:
        starter.start(door, job)
    except Exception as error:  # what is handed over cannot be pickled, an executor has been shut down ...
        raise _not_started(error, starter.hint if isinstance(error, OSError) else "") from error


def _not_started(error: Exception, hint: str = "") -> WorkerError:
    return WorkerError(f"workers cannot be started: {type(error).__name__}: {error}{hint and '; '}{hint}")


def _send_job(member: Member, starter: Any, job: Any) -> None:
    try:
        member.connection.send(job)
    except OSError as error:
        raise _never_ready(member, error) from None
    except Exception as error:  # it cannot be pickled
        raise _not_started(error) from error


def _stays_here(executor: Any) -> bool:
    """Whether it is known of an executor that its tasks run on this machine."""
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    known = isinstance(executor, (ProcessPoolExecutor, ThreadPoolExecutor))
    return known or type(executor).__module__.partition(".")[0] in ("loky", "joblib")


def _address_towards(host: str) -> str:
    """The address of this machine that is nearest to another one. Nothing is sent there."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise WorkerError(
            f"a worker would run on {printable(host)}, which this machine cannot reach: {error}"
        ) from None


def _too_few(starter: Any, came: int) -> str:
    return (
        f"{came} of {starter.count} workers have begun within {START_SECONDS:g} s: ask for workers={came + 1},"
        " or for an executor that runs more tasks at once"
    )


def _member(connection: Any, starter: Any, until: float) -> tuple[Member, int] | None:
    """A worker that has called, and its number; None if it hangs up, or does not say by then who it is."""
    try:
        said = connection.recv_bytes() if connection.poll(max(until - time.monotonic(), 0.0)) else b""
    except (EOFError, OSError):
        said = b""
    if not said:
        connection.close()
        return None
    (number, process, version), _ = unpacked(said)
    if version != __version__:
        connection.close()
        raise WorkerError(f"worker {number} has scratchnn {version}, and this process has {__version__}")
    name = f"worker {number} of {starter.count} (process {process})"
    return Member(connection, name, lambda: starter.ended(number)), number


def _hand_over(member: Member, data: bytes) -> None:
    try:
        member.connection.send_bytes(data)
    except OSError as error:
        raise _never_ready(member, error) from None


def _require_ready(member: Member) -> None:
    """``WorkerError`` unless it says that it is. To prepare many rows may take it longer than ``START_SECONDS``: it is
    waited for as in a step."""
    try:
        told = member.connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise _never_ready(member, error) from None
    if told[:1] != READY:
        why = told[1:].decode("utf-8", "replace") if told[:1] == TROUBLE else "it said something else"
        raise WorkerError(f"{member.name} cannot train this: {why}")


def _never_ready(member: Member, error: Exception) -> WorkerError:
    return WorkerError(f"{member.name} was lost before it was ready ({reason(error)})")
