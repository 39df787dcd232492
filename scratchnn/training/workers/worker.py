"""What runs in a worker: it calls the process that runs ``fit``, is given the rows, and takes every step with it.

A worker is all that ``fit`` is but for what one process does alone: no callbacks, no validation, no files.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from random import Random
from typing import Any

from ... import __version__
from ...engines.lanes.engine import Lanes
from ...engines.lanes.shared import SharedLanes
from ..trainer import Trainer, TrainingData
from .messages import packed, unpacked_data
from .team import TROUBLE, Following

PATIENCE = 60.0  # seconds that somebody who was called may take to answer
READY = b"r"
# Seconds of silence after which a machine is asked whether it is still there, and between questions; and how many.
KEEPALIVE = ("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 8)


def serve(address: Any, key: bytes, number: int, job: dict[str, Any] | None) -> None:
    """Work for the process that listens at ``address`` and knows ``key``, until it hangs up.

    ``job`` is what to train: the arguments of ``Trainer`` but for data and engine, and the width of that one's lanes.
    None if it comes by the connection, once both sides have proved that they know the key.
    """
    with _no_interrupts():
        try:
            connection = Client(address)
        except OSError:
            return  # nobody waits any longer
        with connection:
            if isinstance(address, tuple):
                with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
                    same.setblocking(True)  # which the program's usual timeout for sockets changes
                    set_options(same)
            try:
                if not connection.poll(PATIENCE):
                    return
                # As ``Client`` does it, which would wait for ever.
                answer_challenge(connection, key)
                deliver_challenge(connection, key)
                connection.send_bytes(packed([number, os.getpid(), __version__]))
                _work(connection, connection.recv() if job is None else job)
            except (EOFError, OSError):
                return  # the other side has ended, and whatever there is to say of it is said there


def machine() -> tuple[str, str]:
    """Which machine this is: its name, and what tells it from others of that name."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return socket.gethostname(), file.read()
    except OSError:
        return socket.gethostname(), ""


def set_options(connected: socket.socket) -> None:
    """Have what is written to another machine sent at once, and not when there is more of it: somebody waits for it.
    And have reads fail after some minutes if that machine is gone without a word, as when its power fails."""
    if connected.family == socket.AF_INET:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE:
            if hasattr(socket, name):  # systems have either of the first two, or neither
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _work(connection: Any, job: dict[str, Any]) -> None:
    try:
        trainer, team = _trainer(connection, job)
        connection.send_bytes(READY)
        team.serve(trainer)
    except (EOFError, OSError):
        raise
    except BaseException as error:
        connection.send_bytes(TROUBLE + f"{type(error).__name__}: {error}".encode())


def _trainer(connection: Any, job: dict[str, Any]) -> tuple[Trainer, Following]:
    rows, factor, targets, weights = unpacked_data(connection.recv_bytes())
    team = Following(connection)
    usual, batch_size = Lanes(job["width"]), job["batch_size"]
    usual.forced = job["forced"]
    data = TrainingData(usual.prepare(rows, factor), targets, weights)
    ops = SharedLanes(usual.tuned_for(data.prepared, batch_size), team)
    trainer = Trainer(
        job["network"],
        job["loss"],
        job["optimizer"],
        data,
        ops,
        epochs=1,
        batch_size=batch_size,
        rng=Random(0),
        clip_norm=job["clip_norm"],
    )
    trainer.begin()
    trainer.network.train()
    return trainer, team


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C goes to all processes of a terminal: it is the one that runs ``fit`` which decides what becomes of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
