"""How processes that train together talk while they compute: the leader, which runs ``fit``, and the members.

Every member is connected to the leader and to nobody else. In an exchange a member sends its part, and the leader,
which by then has computed its own, sends everybody those of the others. So the leader knows first when a member is
lost, computes what that one owed, and tells the others that they are fewer from the next exchange on: nobody has to
agree on anything, and no result changes. A member that loses the leader ends.

No two processes ever send to each other at the same time, however much it is: members always speak first.
"""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import pack, unpack
from typing import Any

from ...errors import WorkerError
from .messages import digest, packed, packed_state, settings_of, take_state, unpacked

STATE, STEP, CHECK = b"s", b"b", b"c"  # what the leader sends between exchanges: take a state, a step, give a digest
PART, DONE, TROUBLE = b"p", b"d", b"t"  # what a member answers: its part; that it took a step; why it cannot go on
# Seconds without a byte from a member that is waited for. The process that waits has computed as much as the member has
# to: so a step may take hours, and this is only how much later the member may be, on a slower machine or a busy one. If
# it is frozen, or cannot be reached, no time would be enough, and if it is that slow, it is quicker to do without it.
SILENT_SECONDS = 600.0
# The seconds that a thread has had of the processor; of the process, where there are no threads.
cpu_seconds = getattr(time, "thread_time", time.process_time)
_MOST = 1 << 32  # exchanges are counted up to here, and again
# An exchange: which it is, and of what; the rate of learning; the place of a member, and how many they are.
_NUMBER, _RATE, _TEAM = "<II", "<d", "<II"
_HEAD = 1 + 8  # bytes of the kind of a message and such a number


class Member:
    """A process that computes with the leader, seen from there."""

    def __init__(self, connection: Any, name: str, ended: Callable[[], str]) -> None:
        self.connection = connection
        self.name = name
        self.alive = True
        self._ended = ended  # how its process ended, in words
        _limit_silence(connection)

    def send(self, message: bytes) -> None:
        """Tell it something; nothing happens if it is lost."""
        if self.alive:
            try:
                self.connection.send_bytes(message)
            except OSError as error:
                self.lose(reason(error))

    def receive(self) -> bytes | None:
        """What it says next; None if it is lost."""
        if self.alive:
            try:
                message: bytes = self.connection.recv_bytes()
                if message[:1] != TROUBLE:
                    return message
                self.lose(message[1:].decode("utf-8", "replace"))
            except (EOFError, OSError) as error:
                self.lose(reason(error))
        return None

    def lose(self, reason: str) -> None:
        """Go on without it."""
        self.alive = False
        self.connection.close()
        ended = self._ended()
        text = f"{self.name} was lost ({ended or reason}); its part is computed again, and training goes on without it"
        warnings.warn(text, RuntimeWarning, stacklevel=2)


class Leader:
    """The team as the process that runs ``fit`` sees it."""

    place = 0

    def __init__(self, members: Sequence[Member]) -> None:
        self.everybody = list(members)
        self._members = list(members)  # those who know that they belong to the team; some may be lost by now
        self._exchanges = self._steps = 0
        self.trainer: Any = None  # set before the first step
        self._learning: list[Member] = []  # those who have been told to take a step, and have not said that they did
        self._known: list[Any] = []  # what the trainer was made of when the members stood where it stood
        self._known_settings: dict[str, Any] = {}
        self._since = cpu_seconds()

    @property
    def size(self) -> int:
        """How many compute together."""
        return 1 + len(self._members)

    def begin(self, indices: Sequence[int]) -> None:
        """The members take a step on these rows, from where this process stands."""
        self._require_done()
        if not self._steps:
            self._since = cpu_seconds()
        self._steps += 1
        self._members = [member for member in self._members if member.alive]
        if not self._members:
            return
        optimizer = self.trainer.optimizer
        if not self._in_step():
            message = STATE + packed_state(self.trainer)
            for member in self._members:
                member.send(message)
        head, rows = STEP + pack(_RATE, optimizer.lr), pack(f"<{len(indices)}I", *indices)
        for place, member in enumerate(self._members, 1):
            member.send(head + pack(_TEAM, place, self.size) + rows)
        self._learning = list(self._members)

    def _require_done(self) -> None:
        """``WorkerError`` unless every member that took the last step has come to its end: one that had other numbers
        may have taken another way, and wait for parts of which nobody else knows."""
        learning, self._learning = self._learning, []
        for member in learning:
            if member.receive() not in (None, DONE):
                raise _parted(member)

    def end(self) -> None:
        """The step was taken: the members stand where this process stands."""
        if self._members:
            self._known, self._known_settings = self._made_of(), settings_of(self.trainer.optimizer)

    def _in_step(self) -> bool:
        """Whether nothing has changed since the last step: every operation makes new matrices."""
        made_of = self._made_of()
        same = len(made_of) == len(self._known) and all(map(lambda a, b: a is b, made_of, self._known))
        return same and settings_of(self.trainer.optimizer) == self._known_settings

    def _made_of(self) -> list[Any]:
        trainer = self.trainer
        return [*[parameter.value for parameter in trainer.network.parameters()], *trainer.optimizer.matrices()]

    def exchange(self, part: bytes, missing: Callable[[int], bytes], what: int) -> list[bytes]:
        """Everybody's part; those of members that are lost are computed here."""
        parts, number = [part], pack(_NUMBER, self._exchanges % _MOST, what)
        self._exchanges += 1
        for place, member in enumerate(self._members, 1):
            told = member.receive()
            if told is not None and told[:_HEAD] != PART + number:
                raise _parted(member)
            parts.append(missing(place) if told is None else told[_HEAD:])
        there = [member for member in self._members if member.alive]
        for place, member in enumerate(there, 1):
            member.send(pack(_TEAM, place, 1 + len(there)))
            mine = 1 + self._members.index(member)
            for other, told in enumerate(parts):
                if other != mine:
                    member.send(told)
        self._members = there
        return parts

    def check(self) -> list[float]:
        """``WorkerError`` unless every member stands where this process stands; or the seconds that each has had of the
        processor since the first step."""
        self._require_done()
        seconds = [cpu_seconds() - self._since]
        members = [member for member in self._members if member.alive]
        for member in members:
            member.send(CHECK)
        own = digest(self.trainer) if members else b""
        for member in members:
            told = member.receive()
            if told is None:
                continue
            of_member, (found,) = unpacked(told[1:])
            seconds.append(of_member)
            if found != own:
                raise _parted(member)
        return seconds


class Following:
    """The team as a member sees it. ``serve`` does what the leader says, until that ends."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.place = self.size = 1
        self._exchanges = 0

    def begin(self, *arguments: Any) -> None:
        """It is the leader who begins."""

    def end(self) -> None:
        """And who goes on from there."""

    def exchange(self, part: bytes, missing: Callable[[int], bytes], what: int) -> list[bytes]:
        """Everybody's part."""
        connection, place, size = self._connection, self.place, self.size
        connection.send_bytes(PART + pack(_NUMBER, self._exchanges % _MOST, what) + part)
        self._exchanges += 1
        self.place, self.size = unpack(_TEAM, connection.recv_bytes())
        return [part if other == place else connection.recv_bytes() for other in range(size)]

    def serve(self, trainer: Any) -> None:
        """Take the leader's steps with this trainer, until there is no leader any more."""
        connection, since = self._connection, cpu_seconds()  # whatever came before was getting ready
        while True:
            message = connection.recv_bytes()
            kind = message[:1]
            if kind == STATE:
                take_state(trainer, message[1:])
            elif kind == STEP:
                (trainer.optimizer.lr,) = unpack(_RATE, message[1:_HEAD])
                self.place, self.size = unpack(_TEAM, message[_HEAD : _HEAD + 8])
                rows = message[_HEAD + 8 :]
                trainer.ops.at_once(trainer.learn, unpack(f"<{len(rows) // 4}I", rows))
                connection.send_bytes(DONE)
            elif kind == CHECK:
                seconds = cpu_seconds() - since
                connection.send_bytes(CHECK + packed(seconds, [digest(trainer)]))


def _parted(member: Member) -> WorkerError:
    return WorkerError(
        f"{member.name} no longer has the weights of this process: what a step does must follow from the"
        " weights, the rows and the layers' own generators alone, and callbacks may change nothing but"
        " weights and rates; train without workers"
    )


def _limit_silence(connection: Any) -> None:
    """Have every read and write fail when nothing has come, or been taken, for ``SILENT_SECONDS``, where a system lets
    that be said. Also in the middle of a message: to look whether something is there would not notice."""
    seconds, rest = divmod(SILENT_SECONDS, 1.0)
    limit = pack("ll", int(seconds), int(rest * 1e6)) if os.name == "posix" else int(SILENT_SECONDS * 1e3)
    with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same, suppress(OSError):
        same.setblocking(True)  # which the program's usual timeout for sockets changes
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def reason(error: BaseException) -> str:
    """Why a connection is of no use any more, in words."""
    if isinstance(error, BlockingIOError):
        return f"silent for {SILENT_SECONDS:g} s"
    return "its connection was closed" if isinstance(error, EOFError) else str(error) or type(error).__name__
