"""How the benchmark measures: in turns, by the time this process had of the processor, or in processes of their own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

EXAMPLES = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(EXAMPLES)
now = time.process_time  # seconds of the processor


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    """The same function, returning the seconds it took."""

    def timed_function() -> float:
        start = now()
        function()
        return now() - start

    return timed_function


def take_turns(rounds: int, runs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The least that each run gave in ``rounds`` rounds, in each of which every one has its turn."""
    best = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            best[name] = min(best[name], run())
    return best


def if_installed(make: Callable[[], Any]) -> Any:
    """What ``make`` makes, or None if it needs a library that is not there."""
    try:
        return make()
    except ImportError:
        return None


# Starts a program and prints the seconds until it ended, its exit status and its largest memory in the system's unit.
# It is a process of its own because a process begins with the peak memory of the one that started it, and this one is
# far larger than what is measured.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.executable, [sys.executable, "-c", *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, status, usage.ru_maxrss)
"""


def run_fresh(program: str, *arguments: str) -> tuple[list[str], float, float]:
    """(printed lines, seconds from start to end, peak memory in MiB) of a program in a Python process of its own."""
    if not hasattr(os, "wait4"):
        raise OSError("the peak memory of a process cannot be asked for on this system")
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, program, *arguments]
    folders = [ROOT, EXAMPLES, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    *printed, last = result.stdout.splitlines()
    seconds, status, peak = last.split()
    if int(status):
        raise RuntimeError(f"a program that was to be measured failed:\n{program}")
    return printed, float(seconds), float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
