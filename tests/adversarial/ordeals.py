"""What files are put through: hostile, cut short, damaged, half-written. Each ordeal is a function with a size.

The suite runs them small, ``python -m tests.soak`` at full size. An ordeal works in the empty folder it is given,
raises ``AssertionError`` where something did not hold, and returns in a few words what it saw. Those that need limits
on memory, or that kill, run in a process of their own: ``run_apart``.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from scratchnn import DataError, Dropout, Linear, Model, ModelFileError, ReLU, load_csv, load_idx, optim
from scratchnn.datasets import Dataset, iter_csv
from scratchnn.saving import atomic, records
from scratchnn.training import callbacks, checkpoint, checkpointing, divergence, interruption, trainer
from tests.adversarial import hostile_pickles
from tests.files import Arriving, idx

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 64 << 20  # what reading a file may take beyond the file itself
SECONDS = 1.0  # of the processor's time: what else the machine does is not the file's fault


def run_apart(ordeal: Callable[..., str], folder: Path, **sizes: Any) -> str:
    """What an ordeal returns that runs in a process of its own."""
    command = [sys.executable, "-m", ordeal.__module__, ordeal.__name__, str(folder), json.dumps(sizes)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.strip()


def small_model(units: int = 4) -> Model:
    """A fitted model of about a kilobyte."""
    X = [[float(i % 7), float(i * 3 % 11), -float(i % 5)] for i in range(40)]
    model = Model.from_layers([Linear(3, units), ReLU(), Dropout(0.25), Linear(units, 2)], engine="linalg", seed=1)
    model.fit(X, ["high" if a + b > 7 else "low" for a, b, _ in X], epochs=2)
    model.schema = model.schema._replace(feature_names=["one", "two", "three"])
    return model


# --- reading ---------------------------------------------------------------------------------------------------


class Guard:
    """Sees to it that reading runs nothing, writes nothing, and takes neither a second nor 64 MiB."""

    EVENTS = ("import", "exec", "compile", "marshal.", "pickle.", "os.", "subprocess.", "code.", "ctypes.", "socket.")
    HARMLESS = ("os.listdir", "os.scandir", "os.fspath")

    def __init__(self) -> None:
        self.watching = False
        self.seen: list[str] = []
        self.slowest = 0.0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event not in self.HARMLESS:
            writing = event == "open" and arguments[1] not in ("r", "rb", None)
            if writing or event.startswith(self.EVENTS):
                self.seen.append(f"{event} {arguments}"[:200])

    def refuses(self, path: Path, what: str) -> None:
        """Assert that a file is refused by one clear line."""
        error = ""
        start = time.process_time()
        self.watching = True
        try:
            Model.load(path)
        except ModelFileError as refusal:
            error = str(refusal)
        finally:
            self.watching = False
        self.slowest = max(self.slowest, time.process_time() - start)
        assert error, f"{what}: accepted"
        assert "\n" not in error and error.startswith(str(path)) and len(error) < 300, f"{what}: {error!r}"
        assert not self.seen, f"{what}: {self.seen}"


@contextlib.contextmanager
def bounded_time(seconds: int = 60) -> Iterator[None]:
    """The processor's time that the block may take: what never ends is killed, and the ordeal with it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


@contextlib.contextmanager
def bounded_memory(file_size: int) -> Iterator[None]:
    """No more memory than ``MEMORY`` beyond a file and what the process has; ``MemoryError`` otherwise. Linux."""
    if not os.path.exists("/proc/self/statm"):
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    old = resource.getrlimit(resource.RLIMIT_AS)
    # Twice the file: it is there once as read, and once taken apart.
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY + 2 * file_size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def placements(data: bytes) -> Iterator[tuple[str, bytes]]:
    """A pickle as the whole file, as the payload of a well-formed one, and among and behind its parts."""
    yield "as the file", data
    yield "as the payload", records._file_of(records.FORMAT, records.VERSION, data)
    old = {"format": records.FORMAT, "version": 1, "sha256": records.sha256(data).hexdigest(), "payload": data}
    yield "as the payload of version 1", pickle.dumps(old, 4)
    whole = records._file_of(records.FORMAT, records.VERSION, b"\x80\x04N.")
    yield "before the end", whole[:-2] + b"\x8c\x01x" + data.rstrip(b".") + whole[-2:]
    yield "instead of the version", whole.replace(b"K\x02", data.rstrip(b"."), 1)
    yield "behind the end", whole + data


def hostile(folder: Path, every: int = 1) -> str:
    """Pickles that would run code, all over a model file: none runs, each is refused."""
    path = folder / "model.pkl"
    small_model().save(path)
    Model.load(path)  # imports what it needs
    guard = Guard()
    count = 0
    os.chdir(folder)
    for what, data in list(hostile_pickles.all_hostile())[::every]:
        for place, file in placements(data):
            path.write_bytes(file)
            with bounded_memory(len(file)):
                guard.refuses(path, f"{what}, {place}")
            count += 1
    assert os.listdir(folder) == ["model.pkl"], os.listdir(folder)
    assert guard.slowest < SECONDS, guard.slowest
    return f"{count} files refused"


def live(folder: Path, every: int = 1) -> str:
    """That the hostile pickles are no toys: given to pickle itself, they do harm."""
    os.chdir(folder)
    done = 0
    spoken = os.dup(1)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    for _, data in list(hostile_pickles.live())[::every]:
        with contextlib.suppress(Exception):
            thing = pickle.loads(data)
            if hasattr(thing, "close"):
                thing.close()
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(hostile_pickles.HARM)
            done += 1
    os.dup2(spoken, 1)
    assert done >= 15, f"only {done} of the hostile pickles would do harm"
    return f"{done} have done harm"


def bombs(folder: Path, every: int = 1) -> str:
    """Pickles that ask for gigabytes or minutes: refused within a second and 64 MiB."""
    path = folder / "model.pkl"
    small_model().save(path)
    Model.load(path)
    guard = Guard()
    count = 0
    for what, data in hostile_pickles.bombs():
        for place, file in list(placements(data))[1::every]:
            path.write_bytes(file)
            with bounded_memory(len(file)):
                guard.refuses(path, f"{what}, {place}")
            count += 1
    assert guard.slowest < SECONDS, guard.slowest
    return f"{count} files refused, the slowest in {guard.slowest:.2f} s"


def truncated(folder: Path, step: int = 1) -> str:
    """A model file cut at every byte."""
    path = folder / "model.pkl"
    small_model().save(path)
    data = path.read_bytes()
    Model.load(path)
    guard = Guard()
    for size in range(0, len(data), step):
        path.write_bytes(data[:size])
        with bounded_memory(size):
            guard.refuses(path, f"the first {size} bytes")
    return f"{len(range(0, len(data), step))} of {len(data)} prefixes refused"


def damage(data: bytes, rng: Random) -> bytes:
    """Some of the bytes changed, moved, lost or new; always different from ``data``."""
    while True:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            start = rng.randrange(len(changed) + 1)
            end = min(len(changed), start + rng.choice((1, 2, 8, 64, 512)))
            other = rng.randrange(len(changed) + 1)
            kind = rng.randrange(7)
            if kind < 2 and start < len(changed):
                changed[start] ^= 1 << rng.randrange(8)
            elif kind == 2:
                changed[start:end] = bytes(end - start)
            elif kind == 3:
                changed[start:end] = data[other : other + end - start]
            elif kind == 4:
                changed[start:start] = data[other : other + end - start]
            elif kind == 5:
                del changed[start:end]
            else:
                changed[start:end] = bytes(rng.randrange(256) for _ in range(end - start))
        if bytes(changed) != data:
            return bytes(changed)


def damaged(folder: Path, count: int = 10_000, seed: int = 0) -> str:
    """Flipped bits, splices, zeroed blocks in model files of a kilobyte and of a hundred."""
    path = folder / "model.pkl"
    originals = []
    for units in (4, 2000):
        small_model(units).save(path)
        originals.append(path.read_bytes())
    Model.load(path)
    guard = Guard()
    rng = Random(seed)
    for number in range(count):
        file = damage(originals[number % 10 == 0], rng)
        path.write_bytes(file)
        with bounded_memory(len(file)):
            guard.refuses(path, f"damaged file {number}")
    assert guard.slowest < SECONDS, guard.slowest
    return f"{count} files refused, the slowest in {guard.slowest * 1000:.0f} ms"


# --- models that are small to write down and large to compute ------------------------------------------------


def _absurd(rng: Random, usual: int) -> int:
    """A size: most often a usual one, else anything from 0 to beyond all bounds."""
    if rng.random() < 0.7:
        return rng.randrange(1, usual + 1)
    size = rng.choice((0, 1, 2, 3, 5, 1 << rng.randrange(2, 40), 10 ** rng.randrange(1, 18), 10**200))
    return max(size + rng.choice((-1, 0, 0, 1)), 0)


def _absurd_pair(rng: Random, usual: int) -> Any:
    return _absurd(rng, usual) if rng.random() < 0.5 else [_absurd(rng, usual), _absurd(rng, usual)]


def _weights_of(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many weights as the layers have, where they are few; else as few as a file may hold."""
    packed = []
    for layer in layers:
        if layer["kind"] == "Conv2D":
            kernel = layer["kernel"] if isinstance(layer["kernel"], list) else [layer["kernel"]] * 2
            rows, columns = layer["in_channels"] * kernel[0] * kernel[1], layer["out_channels"]
            rows, columns = (rows, columns) if 0 < rows * columns <= 4096 else (1, 1)
            packed += [records.pack_matrix([[0.5] * columns] * rows), records.pack_matrix([[0.25] * columns])]
    return packed


def absurd_model(rng: Random) -> dict[str, Any]:
    """The layers, the input's shape and the weights of a network with windows of all sizes."""
    channels = rng.choice((1, 1, 2, 3, _absurd(rng, 4)))
    shape = [channels, _absurd(rng, 9), _absurd(rng, 9)]
    layers: list[dict[str, Any]] = []
    for _ in range(rng.choice((1, 1, 2, 3, 40))):
        kind = rng.choice(("Conv2D", "MaxPool2D", "AvgPool2D"))
        sizes = {"kernel": _absurd_pair(rng, 3), "stride": _absurd_pair(rng, 2), "padding": _absurd_pair(rng, 2)}
        if rng.random() < 0.5:
            sizes["padding"] = 0
        elif rng.random() < 0.5 and type(sizes["kernel"]) is int:
            sizes["padding"] = sizes["kernel"] // 2  # the largest that is right
        if kind == "Conv2D":
            out = _absurd(rng, 3)
            layers.append({"kind": kind, "in_channels": channels, "out_channels": out, **sizes, "init": "he"})
            channels = out
        else:
            layers.append({"kind": kind, **sizes})
    return {"layers": layers, "input_shape": shape, "weights": _weights_of(layers)}


KNOWN_ABSURD: list[tuple[list[int], list[dict[str, Any]]]] = [
    ([1, 1, 1], [{"kind": "Conv2D", "kernel": 1, "stride": 10**4, "padding": 0}]),
    ([1, 1, 1], [{"kind": "Conv2D", "kernel": 4096, "stride": 1, "padding": 2047}]),
    ([1, 1, 1], [{"kind": "Conv2D", "kernel": [1, 10**15], "stride": 1, "padding": [0, 10**15 // 2]}]),
    ([1, 1, 1], [{"kind": "MaxPool2D", "kernel": 20_000, "stride": 20_000, "padding": 10_000}]),
    ([1, 1, 1], [{"kind": "MaxPool2D", "kernel": 4094, "stride": 1 << 24, "padding": 2047}]),
    ([1, 1, 1], [{"kind": "AvgPool2D", "kernel": 2 * 10**9, "stride": 2 * 10**9, "padding": 10**9}]),
    ([1, 1, 1], [{"kind": "AvgPool2D", "kernel": 4094, "stride": 1, "padding": 2047}]),
    ([1, 1, 1], [{"kind": "MaxPool2D", "kernel": 2, "stride": 1, "padding": 1}] * 4000),
    ([1, 1, 1], [{"kind": "AvgPool2D", "kernel": 1000, "stride": 1, "padding": 500}] * 40),
    ([1, 1, 4000], [{"kind": "MaxPool2D", "kernel": [1, 2000], "stride": 1, "padding": [0, 1000]}]),
    ([1, 1, 5000], [{"kind": "AvgPool2D", "kernel": 1, "stride": [1, 4999], "padding": 0}]),
    ([1, 64, 64], [{"kind": "Conv2D", "kernel": 32, "stride": 1, "padding": 31}]),
    ([3, 40, 40], [{"kind": "MaxPool2D", "kernel": 40, "stride": 1, "padding": 0}]),
]


def absurd_windows(folder: Path, count: int = 3_000, seed: int = 0) -> str:
    """Model files with windows of any size: refused in one line, or done with a row in little time and memory."""
    path = folder / "model.pkl"
    whole = Model(1, [], 1, task="regression", engine="linalg", scaling="none", seed=1)
    whole.fit([[0.0], [1.0]], [0.0, 1.0], epochs=1)
    whole.schema = whole.schema._replace(feature_names=[], label_position=None)
    whole.save(path)
    Model.load(path).predict([[0.5]])  # imports what it needs
    template = records.load(path)
    if template.get("target_scaling"):  # of a single output
        template["target_scaling"] = None
    rng, guard, done, slowest = Random(seed), Guard(), 0, 0.0
    models = []
    for shape, layers in KNOWN_ABSURD:
        layers = [
            {**layer, "in_channels": 1, "out_channels": 1, "init": "he"} if layer["kind"] == "Conv2D" else layer
            for layer in layers
        ]
        models.append({"layers": layers, "input_shape": shape, "weights": _weights_of(layers)})
    for number in range(count):
        absurd = models[number] if number < len(models) else absurd_model(rng)
        records.save(path, {**template, **absurd})
        what = f"model {number}, {str(absurd['layers'])[:200]} over {absurd['input_shape']}"
        for engine in ("lanes", "linalg"):
            start = time.process_time()
            with bounded_time(), bounded_memory(path.stat().st_size):
                try:
                    model = Model.load(path, engine=engine)
                except ModelFileError:
                    guard.refuses(path, what)
                    continue
            row = [0.5] * model.input_size  # who hands over rows of millions of numbers has room for them
            with bounded_time(), bounded_memory(path.stat().st_size + 500 * len(row)):
                assert len(model.predict([row])) == 1, what
            done += 1
            slowest = max(slowest, time.process_time() - start)
    assert done > count // 20, f"only {done} of {2 * count} were not refused"
    return f"{2 * count - done} refused, {done} answered, the slowest in {slowest:.1f} s"


# --- writing ---------------------------------------------------------------------------------------------------


class TwoModels:
    """An old model on disk, and a new one to be saved over it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.pkl"
        self.old, self.new = small_model(), small_model(40)
        self.new.save(self.path)
        self.new_bytes = self.path.read_bytes()
        self.old.save(self.path)
        self.old_bytes = self.path.read_bytes()

    def check_whole(self) -> bool:
        """Assert that one of the two is there and loads; whether it is the new one."""
        data = self.path.read_bytes()
        assert data in (self.old_bytes, self.new_bytes), "neither the old model nor the new"
        Model.load(self.path)
        return data == self.new_bytes

    def litter(self) -> list[str]:
        return [name for name in os.listdir(self.path.parent) if name != self.path.name]


def _killed_at_line(save: Callable[[], None], number: int) -> bool:
    """Run ``save`` in a child that is killed before the ``number``-th line of ``atomic``; False if it has fewer."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        return os.WIFSIGNALED(status)
    left = number

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != atomic.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    try:
        sys.settrace(trace)
        save()
    finally:
        os._exit(0)


def killed_at_every_line(folder: Path) -> str:
    """A save killed before each line that writes it: so between any two system calls."""
    models = TwoModels(folder)
    number = news = 0
    while _killed_at_line(lambda: models.new.save(models.path), number):
        news += models.check_whole()
        assert len(models.litter()) <= 1, models.litter()
        if number % 3 == 0:
            models.old.save(models.path)  # which also clears up
            assert models.litter() == [], models.litter()
        number += 1
    assert models.check_whole() and models.litter() == []
    assert number > 20, "no line of atomic.py was traced"
    return f"{number} kills: {news} times the new model, {number - news} times the old"


def killed(folder: Path, count: int = 200, seed: int = 0) -> str:
    """A process that saves again and again, killed at a random moment."""
    models = TwoModels(folder)
    rng = Random(seed)
    news = most = 0
    for _ in range(count):
        child = os.fork()
        if not child:
            try:
                while True:
                    models.new.save(models.path)
                    models.old.save(models.path)
            finally:
                os._exit(1)
        time.sleep(rng.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        news += models.check_whole()
        most = max(most, len(models.litter()))
    assert most <= 1, "litter accumulates"
    models.old.save(models.path)
    assert models.litter() == []
    return f"{count} kills: {news} times the new model, {count - news} times the old, never neither"


def full_disk(folder: Path, step: int = 1) -> str:
    """A file-size limit at every byte of the new file: an error each time, and the old file as it was."""
    import resource

    models = TwoModels(folder)
    limits = range(0, len(models.new_bytes), step)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        message = "no error"
        try:
            models.new.save(models.path)
        except OSError as error:
            message = str(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "cannot be written" in message and str(models.path) in message, f"{limit} bytes: {message}"
        assert not models.check_whole() and models.litter() == [], limit
    models.new.save(models.path)
    assert models.check_whole()
    return f"{len(limits)} limits: an error each time, the old model whole"


# --- data files ------------------------------------------------------------------------------------------------

TABLES: list[tuple[bytes, Any]] = [
    (b"a,b,species\n1,2.5,owl\n-3e2,4,jay\n5,6,owl\n", "species"),
    (b'"a";"b";"c"\r\n"1";"x ""y"" z";"3"\r\n"2";"w\r\nv";"4"\r\n"0.5";"w";"5"\r\n', 1),
    (b"\xef\xbb\xbfpixel0\tpixel1\tlabel\n" + b"0\t255\t3\n1\t2\t4\n" * 5, None),
    (b"5," + b",".join(b"%d" % (i % 256) for i in range(64)) + b"\n" + b"6" + b",7" * 64 + b"\n", 0),
]


def scribble(data: bytes, rng: Random) -> bytes:
    """A few characters of a table replaced, put in or taken out."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(changed) + 1)
        new = bytes(rng.choice(b'",;\t\r\n0123456789.eE+-x \x00\xff') for _ in range(rng.randrange(3)))
        changed[start : start + rng.randrange(3)] = new
    return bytes(changed)


def _reads_or_refuses(read: Callable[[], Any], what: str) -> bool:
    """Whether a data file is read; anything but a ``DataError`` of one line is let through or an assertion."""
    start = time.process_time()
    message, dataset = "", None
    try:
        dataset = read()
    except DataError as error:
        message = str(error)
    assert time.process_time() - start < SECONDS, what
    if dataset is None:
        assert message and "\n" not in message, f"{what}: {message}"
        return False
    assert len(dataset.X) and len({len(row) for row in dataset.X}) == 1, what
    assert len(dataset.y) in (0, len(dataset.X)), what
    return True


def mutated_csv(folder: Path, count: int = 10_000, seed: int = 0) -> str:
    """Damaged tables, some of them gzipped before or after the damage: read, or refused with a ``DataError``."""
    path = folder / "table.csv"
    rng = Random(seed)
    read = 0
    for number in range(count):
        table, label = rng.choice(TABLES)
        if number % 5 == 0:
            file = damage(gzip.compress(table, mtime=0), rng)
        else:
            file = (damage if number % 5 == 1 else scribble)(table, rng)
            file = gzip.compress(file, mtime=0) if number % 5 == 2 else file
        path.write_bytes(file)
        if number % 11 == 0:
            label = rng.choice((None, "species", 0, -1, 7))
        with bounded_memory(len(file)):
            read += _reads_or_refuses(
                lambda label=label, n=number: load_csv(path, label, regression=n % 7 == 0), f"table {number}: {file!r}"
            )
    return f"{read} read, {count - read} refused"


def csv_in_pieces(folder: Path, count: int = 10_000, seed: int = 0) -> str:
    """Damaged tables that arrive in pieces of any size: the same rows and the same refusal as in one piece."""
    rng = Random(seed)
    knowing = [(2, 2, ["a", "b"]), (2, 1, []), (2, 2, ["pixel0", "pixel1"]), (64, 0, [])]  # in the order of TABLES
    refused = rows = 0
    for number in range(count):
        kind = rng.randrange(len(TABLES))
        width, position, names = knowing[kind]
        file = scribble(TABLES[kind][0] * rng.randrange(1, 3), rng) if number % 3 else TABLES[kind][0]
        zipped = number % 7 == 0
        file = damage(gzip.compress(file, mtime=0), rng) if zipped else file
        like = Dataset([bytes(width)], [], feature_names=names, label_position=position)
        cuts = sorted(rng.randrange(len(file) + 1) for _ in range(rng.randrange(9)))
        answers = []
        for pieces in ([file], [file[a:b] for a, b in zip([0, *cuts], [*cuts, len(file)]) if a < b]):
            read: list[list[float]] = []
            problem = ""
            try:
                for data in iter_csv(Arriving(pieces), like=like, label_required=False):
                    read += map(list, data.X)
            except DataError as error:
                problem = str(error)
            answers.append((read, problem))
        (whole, first), (parts, second) = answers
        if zipped and first and second:
            # What a damaged gzip file still gives before it is found out depends on how much of it came at once.
            shorter = min(len(whole), len(parts))
            whole, parts, second = whole[:shorter], parts[:shorter], first
        assert (whole, first) == (parts, second), f"table {number}: {file!r} cut at {cuts}"
        assert "\n" not in first
        refused += bool(first)
        rows += len(whole)
    return f"{rows} rows given, {refused} of {count} streams refused in the end"


def mutated_idx(folder: Path, count: int = 10_000, seed: int = 0) -> str:
    """Damaged images and labels, plain and gzipped."""
    images, labels = folder / "x-images-idx3-ubyte", folder / "x-labels-idx1-ubyte"
    originals = idx((3, 4, 5), bytes(range(60))), idx((3,), b"\1\2\3")
    rng = Random(seed)
    read = 0
    for number in range(count):
        files = list(originals)
        which = rng.randrange(2)
        if number % 5 == 0:
            files[which] = damage(gzip.compress(files[which], mtime=0), rng)
        else:
            files[which] = damage(files[which], rng)
        for path, file in zip((images, labels), files):
            path.write_bytes(file)
        with bounded_memory(len(files[0])):
            read += _reads_or_refuses(lambda: load_idx(images), f"files {number}: {files!r}")
    return f"{read} read, {count - read} refused"


# --- command lines ---------------------------------------------------------------------------------------------

GOOD_TABLE = b"one,two,three,label\n" + b"".join(b"%d,%d,%d,%d\n" % (i % 7, i % 3, i % 5, i % 2) for i in range(20))
WILD_TABLES = [
    *(table for table, _ in TABLES),
    b"a,b,y\n1e308,-1e308,x\n-1e308,1e308,z\n1,2,x\n2,3,z\n" * 3,
    b"a,y\n1e-300,1\n5e-324,0\n0,1\n1,0\n" * 4,
    b"1,2\n3,4\n",
    b"1,1,1\n" * 9,
    b"",
    b"label\n1\n2\n1\n",
    b"x,y\n" + b"".join(b"%d,%d\n" % (i, 10 ** (i * 5)) for i in range(20)),
    b"x,y\n" + b"".join(b"%d,%de200\n" % (i, i) for i in range(20)),
    "größe,naïve,art\n1,2,Möwe\n2,1,鷹\n1,1,Möwe\n0,2,鷹\n".encode() * 3,
]
NUMBERS = ("0", "1", "2", "0.5", "-1", "1e-300", "1e60", "1e308", "1e309", "nan", "inf", "x", "", "9" * 5000)
FILES = ("table.csv", "other.csv", "model.pkl", "run.ckpt", "nowhere/x", ".", "", "new.pkl", "/dev/null", "-", "--what")
COMMON = {
    "--label": ("0", "1", "-1", "y", "art", "7", ""),
    "--delimiter": (",", ";", "tab", "xy"),
    "--header": (),
    "--no-header": (),
}
# By option the values, the first of them a good one; none for a switch.
ODD_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        **COMMON,
        **{
            f"--{name}": ("0.3", *NUMBERS)
            for name in ("validation-split", "test-fraction", "dropout", "lr", "momentum")
        },
        **{f"--{name}": ("0.01", *NUMBERS) for name in ("weight-decay", "clip-norm")},
        **{f"--{name}": ("2", *NUMBERS) for name in ("batch-size", "early-stopping", "seed", "checkpoint-every")},
        "--workers": ("1", *NUMBERS),
        "--test": ("table.csv", *FILES),
        "--from": ("model.pkl", *FILES),
        "--max-work": ("1000000", *NUMBERS),
        "--save": ("new.pkl", *FILES),
        "--checkpoint": ("run.ckpt", *FILES),
        "--report": ("new.html", *FILES),
        **{f"--{name}": () for name in ("regression", "nesterov", "resume", "quiet", "json", "metrics", "show")},
        "--scaling": ("none", "auto", "pixels", "standard", "x"),
        "--class-weight": ("balanced", "x"),
        "--hidden": ("4", "0", "none", "3,2", "x", "9" * 20, "1,1,1,1,1"),
        "--activation": ("tanh", "relu", "leaky_relu", "sigmoid", "x"),
        "--engine": ("linalg", "lanes", "x"),
        "--optimizer": ("adam", "sgd", "x"),
        "--schedule": ("step", "cosine", "plateau", "none", "x"),
    },
    "predict": {
        **COMMON,
        "--proba": (),
        "--score": (),
        "--metrics": (),
        "--show": (),
        "--output": ("new.csv", *FILES),
        "--report": ("new.html", *FILES),
        "--max-work": ("1000000", *NUMBERS),
    },
    "info": {"--json": ()},
}


def odd_command(rng: Random) -> list[str]:
    """A command line with a few options, some with values that nobody meant; training is short."""
    command = rng.choice(("train", "train", "predict", "predict", "info"))
    words = [command]
    if command == "train":
        words += ["table.csv", "--epochs", rng.choice(("1", "1", "1", "2", "2", "3", "0", "x"))]
    else:
        words += [rng.choice(("model.pkl",) * 9 + FILES)]
    if command == "predict":
        words += [rng.choice(("table.csv",) * 9 + FILES)]
    options = ODD_OPTIONS[command]
    for option in rng.sample(sorted(options), rng.choice((0, 1, 1, 2, 2, 3, 4)[: len(options)])):
        values = options[option]
        words += [option, *([values[0] if rng.random() < 0.7 else rng.choice(values)] if values else [])]
    return words


def odd_commands(folder: Path, count: int = 10_000, seed: int = 0) -> str:
    """Commands with odd options on odd tables and damaged files: done, or an error of one line, and never a bug."""
    os.chdir(folder)
    rng = Random(seed)
    done = 0
    for number in range(count):
        if not Path("table.csv").exists() or rng.random() < 0.1:
            small_model().save("model.pkl")
        for name in ("table.csv", "other.csv"):
            if rng.random() < 0.3 or not Path(name).exists():
                table = rng.choice((*WILD_TABLES, *[GOOD_TABLE] * len(WILD_TABLES)))
                Path(name).write_bytes(scribble(table, rng) if rng.random() < 0.2 else table)
        for name in ("model.pkl", "run.ckpt"):
            if rng.random() < 0.03 and Path(name).exists():
                Path(name).write_bytes(damage(Path(name).read_bytes(), rng))
        done += _done_or_refused(odd_command(rng), number)
    return f"{done} done, {count - done} refused"


def _done_or_refused(words: list[str], number: int) -> bool:
    """Whether a command did what it was asked for; ``AssertionError`` where it neither did nor refused it well."""
    from scratchnn.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    keyboard, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(GOOD_TABLE))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    sys.stdin = keyboard
    told = err.getvalue()
    what = f"command {number}, {words}: exit code {code}\n{told}"
    assert code in (0, 2) and "Traceback" not in told, what
    if code:
        last = told.splitlines()[-1]
        assert last.startswith("error: ") and len(last) < 6000, what
    return not code


# --- a run that is killed -----------------------------------------------------------------------------------


def _train(folder: Path, name: str) -> list[str]:
    """A command that trains on the shipped digits with everything that has a memory, and resumes if it can."""
    words = "--hidden 16,12 --dropout 0.1 --epochs 4 --validation-split 0.1 --early-stopping 9 --quiet --resume"
    files = ["--save", str(folder / f"{name}.pkl"), "--checkpoint", str(folder / f"{name}.run")]
    return [sys.executable, "-m", "scratchnn.train", *words.split(), *files, "--checkpoint-every", "5"]


def killed_and_resumed(folder: Path, kills: int) -> str:
    """kill -9 at a random moment of a run, then the same command again, until it ends: as often as is asked for."""
    import random
    import time

    start = time.perf_counter()
    subprocess.run(_train(folder, "whole"), check=True, capture_output=True)
    lasts = time.perf_counter() - start
    rng, done, runs = random.Random(0), 0, 0
    while done < kills:
        runs += 1
        for leftover in (folder / "killed.run", folder / "killed.pkl"):
            leftover.unlink(missing_ok=True)
        while True:
            process = subprocess.Popen(_train(folder, "killed"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                patience = rng.uniform(0.1, 0.9) * lasts if done < kills else None
                _, complaint = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                done += 1
                continue
            assert process.returncode == 0, complaint.decode()
            break
        assert (folder / "killed.pkl").read_bytes() == (folder / "whole.pkl").read_bytes(), f"after {done} kills"
    return f"{done} kills over {runs} runs, each ended byte for byte like one that was let alone"


WITHIN = {
    module.__file__
    for module in (trainer, divergence, optim, callbacks, checkpointing, checkpoint, records, atomic, interruption)
}


def _interrupted_at_line(fit: Callable[[], object], number: int) -> tuple[bool, str]:
    """Run ``fit`` and press Ctrl-C before the ``number``-th line of the files in ``WITHIN``.

    Gives (whether it has so many lines, what was said where it was stopped).
    """
    left, said = number, ""

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in WITHIN:
            return None
        if event == "line":
            left -= 1
            if left == -1:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        sys.settrace(trace)
        fit()
    except KeyboardInterrupt as stop:
        said = str(stop)
    finally:
        sys.settrace(None)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], f"line {number}"
    return left < 0, said


def _stands(path: Path) -> str:
    """Where the run of a checkpoint stands, in the words of an interrupt."""
    state = records.load_record(path, "scratchnn checkpoint", range(9))["state"]["run"]
    return f"training was stopped after epoch {state['epoch']}, batch {state['batch']}; "


def interrupted_at_every_line(folder: Path, step: int = 1) -> str:
    """Ctrl-C before each line of a run with a checkpoint, in the middle of an update, of a save, of taking the lock."""
    X, y = [[float(i % 7), float(i * 3 % 11)] for i in range(12)], [0, 1] * 6
    path = folder / "run"
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def fit() -> list[Any]:
        model = Model(2, 3, 2, dropout=0.2, engine="linalg", seed=3)
        settings: dict[str, Any] = {"momentum": 0.9, "schedule": "cosine", "validation_data": (X, y)}
        model.fit(X, y, epochs=2, batch_size=4, checkpoint=path, resume=True, stop_on_sigterm=True, **settings)
        return model.weights

    whole = fit()
    path.unlink()
    number = kept = 0
    litter = []  # of the lines that look, before the run begins, whether the place can be written
    while True:
        reached, said = _interrupted_at_line(fit, number)
        if not reached:
            break
        kept += bool(said)
        assert not said or said.startswith(_stands(path)), f"line {number}: {said}"
        assert fit() == whole, f"line {number}: resumed to something else"
        path.unlink()
        for name in os.listdir(folder):
            assert name.endswith(".part"), f"line {number}: {name} is left"
            (folder / name).unlink()
            litter.append(number)
        number += step
    assert kept > 0.6 * number / step, f"only {kept} of {number // step} left a checkpoint"
    assert len(litter) <= 6, f"litter at lines {litter}"
    return (
        f"{number // step} interrupts, {kept} of a run with a checkpoint then; all ended with the bits of one let alone"
    )


if __name__ == "__main__":
    sys.stdout.write(globals()[sys.argv[1]](Path(sys.argv[2]), **json.loads(sys.argv[3])) + "\n")
