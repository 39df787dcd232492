"""Pickles that try to do harm: run code, or take gigabytes or minutes. Made by hand, never by pickling an object.

A *gadget* is a function that does harm with the right argument; most here make a folder ``HARM`` where they run, so
that it can be seen whether they did. A *form* is a way to have it called while a pickle is read.
"""

from __future__ import annotations

import marshal
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

HARM = "harm-was-done"
PYTHON = f"__import__('os').mkdir('{HARM}')"
SHELL = f"mkdir {HARM}"

# (module, name, argument): these make the folder when they are called with this one argument.
LIVE = [
    ("os", "mkdir", HARM),
    ("os", "makedirs", HARM),
    (os.name, "mkdir", HARM),
    (os.name, "system", SHELL),
    ("os", "system", SHELL),
    ("os", "popen", SHELL),
    ("subprocess", "getoutput", SHELL),
    ("subprocess", "getstatusoutput", SHELL),
    ("builtins", "exec", PYTHON),
    ("builtins", "eval", PYTHON),
    ("__builtin__", "eval", PYTHON),
    ("timeit", "timeit", PYTHON),
    ("cProfile", "run", PYTHON),
    ("profile", "run", PYTHON),
    ("_osx_support", "_read_output", SHELL),
]

# These are refused for the same reason and never called, not even to see what they would do.
NEVER_CALLED = [
    ("builtins", "__import__", "antigravity"),
    ("builtins", "open", HARM),
    ("builtins", "compile", PYTHON),
    ("builtins", "getattr", "os"),
    ("builtins", "globals", ""),
    ("builtins", "print", "hello"),
    ("builtins", "bytearray", "100000000000"),
    ("importlib", "import_module", "antigravity"),
    ("importlib", "__import__", "antigravity"),
    ("importlib.machinery", "SourceFileLoader", "x"),
    ("marshal", "loads", "x"),
    ("types", "FunctionType", "x"),
    ("types", "CodeType", "x"),
    ("operator", "attrgetter", "system"),
    ("operator", "methodcaller", "system"),
    ("operator", "itemgetter", "x"),
    ("functools", "partial", "x"),
    ("functools", "reduce", "x"),
    ("codecs", "decode", "x"),
    ("codecs", "encode", "x"),
    ("_codecs", "encode", "x"),
    ("copyreg", "_reconstructor", "x"),
    ("copyreg", "__newobj__", "x"),
    ("copyreg", "add_extension", "x"),
    ("copy_reg", "_reconstructor", "x"),
    ("subprocess", "Popen", SHELL),
    ("subprocess", "run", SHELL),
    ("os", "execv", "/bin/sh"),
    ("os", "remove", "x"),
    ("os", "_exit", "0"),
    ("os", "fork", ""),
    ("pty", "spawn", "/bin/sh"),
    ("shutil", "rmtree", "x"),
    ("socket", "create_connection", "x"),
    ("urllib.request", "urlopen", "file:///etc/passwd"),
    ("webbrowser", "open", "x"),
    ("ctypes", "CDLL", "x"),
    ("runpy", "run_path", "x"),
    ("code", "interact", "x"),
    ("pdb", "run", "x"),
    ("bdb", "Bdb", "x"),
    ("pickle", "loads", "x"),
    ("_pickle", "loads", "x"),
    ("io", "open", "x"),
    ("sys", "exit", "0"),
    ("collections", "OrderedDict", "x"),
    ("decimal", "Decimal", "1"),
    ("array", "array", "d"),
    ("numpy.core.multiarray", "_reconstruct", "x"),
    ("torch", "load", "x"),
    ("scratchnn.model", "Model", "2"),
    ("scratchnn", "Model.load", "x"),
    ("no_such_module", "no_such_name", "x"),
]

GADGETS = LIVE + NEVER_CALLED


def text(value: str) -> bytes:
    """SHORT_BINUNICODE."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def framed(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + b"\x95" + len(body).to_bytes(8, "little") + body


# The ways to call a function of one argument.
FORMS: dict[str, Callable[[bytes, bytes, bytes], bytes]] = {
    "GLOBAL and REDUCE, protocol 0": lambda m, n, a: b"c%s\n%s\n(V%s\ntR." % (m, n, a),
    "INST": lambda m, n, a: b"(V%s\ni%s\n%s\n." % (a, m, n),
    "OBJ": lambda m, n, a: b"\x80\x01(c%s\n%s\nV%s\no." % (m, n, a),
    "GLOBAL and REDUCE, protocol 2": lambda m, n, a: b"\x80\x02c%s\n%s\nq\x00V%s\n\x85Rq\x01." % (m, n, a),
    "NEWOBJ": lambda m, n, a: b"\x80\x02c%s\n%s\nV%s\n\x85\x81." % (m, n, a),
    "STACK_GLOBAL and REDUCE": lambda m, n, a: framed(
        text(m.decode()) + b"\x94" + text(n.decode()) + b"\x94\x93\x94" + text(a.decode()) + b"\x85R."
    ),
    "STACK_GLOBAL, its names from the memo": lambda m, n, a: framed(
        b"]\x94("
        + text(n.decode())
        + b"\x94"
        + text(m.decode())
        + b"\x94h\x02h\x01\x93"
        + text(a.decode())
        + b"\x85Re.",
        5,
    ),
    "NEWOBJ_EX": lambda m, n, a: framed(
        text(m.decode()) + text(n.decode()) + b"\x93" + text(a.decode()) + b"\x85}\x92."
    ),
    "a function fetched twice from the memo": lambda m, n, a: (
        b"\x80\x03c%s\n%s\nr\x00\x00\x00\x000j\x00\x00\x00\x00V%s\n\x85R." % (m, n, a)
    ),
    "in a list in a dict": lambda m, n, a: b"\x80\x02}U\x01x]c%s\n%s\nV%s\n\x85Ras." % (m, n, a),
    "as the key of a dict": lambda m, n, a: b"\x80\x02}c%s\n%s\nV%s\n\x85RNs." % (m, n, a),
    "behind a whole pickle": lambda m, n, a: b"\x80\x02}.c%s\n%s\nV%s\n\x85R." % (m, n, a),
}

# Instructions that need no gadget, or only the name of one.
BY_HAND = {
    "PERSID": b"Pos.system\n.",
    "BINPERSID": b"\x80\x02Vos.system\nQ.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "BUILD on a dict": b"\x80\x02}}V__class__\nNsb.",
    "BUILD on an object": b"\x80\x02ccopyreg\n_reconstructor\n(cbuiltins\nobject\ncbuiltins\nobject\nNtR}b.",
    "BUILD with slots": b"\x80\x02cos\nsystem\nN}\x86b.",
    "GLOBAL alone": b"cos\nsystem\n.",
    "a module's attribute": b"\x80\x04\x8c\x02os\x8c\x0cpath.os.path\x93.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05C\x01x\x98.",
    "BYTEARRAY8": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00x.",
    "EMPTY_SET and ADDITEMS": b"\x80\x04\x8f(K\x01\x90.",
    "FROZENSET": b"\x80\x04(K\x01\x91.",
    "DUP": b"\x80\x04]2.",
    "POP": b"\x80\x04]]0.",
    "POP_MARK": b"\x80\x04](]1.",
    "Python 2's STRING": b"S'os'\n.",
    "Python 2's STRING with escapes": b"S'\\x6f\\x73'\n.",
    "Python 2's BINSTRING": b"T\x02\x00\x00\x00os.",
    "Python 2's SHORT_BINSTRING": b"U\x02os.",
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a dict that holds itself": b"\x80\x02}q\x00Vx\nh\x00s.",
    "a memo number never noted": b"\x80\x02h\x07.",
    "a negative memo number": b"(lp0\ng-1\n.",
    "an empty stack": b"\x80\x02a.",
    "appending to a number": b"\x80\x02K\x01K\x02a.",
    "setting an item of a list": b"\x80\x02]K\x01K\x02s.",
    "taking what is below a mark": b"\x80\x02]K\x01(a.",
    "two objects": b"\x80\x02]].",
    "nothing at all": b".",
    "a mark left over": b"\x80\x02](.",
    "protocol 6": b"\x80\x06N.",
    "the protocol twice": b"\x80\x04\x80\x04N.",
    "a number as a key": b"\x80\x02}K\x01Ns.",
    "a tuple as a key": b"\x80\x02})Ns.",
    "the same key twice": b"\x80\x02}(Va\nNVa\nNu.",
    "text that is not UTF-8": b"\x80\x04\x8c\x02\xff\xfe.",
    "no number": b"I0x10\n.",
    "a number with underscores": b"I1_000\n.",
    "a float that is none": b"Fpi\n.",
    "an unknown instruction": b"\x80\x04\xffN.",
}


def in_protocols() -> Iterator[tuple[str, bytes]]:
    """What pickle itself makes of an object that asks to be made by ``os.mkdir`` or by running marshalled code."""

    class MakesAFolder:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (HARM,)

    class RunsCode:
        def __reduce__(self) -> tuple[Any, ...]:
            return eval, (PYTHON,)

    class UnpacksCode:
        def __reduce__(self) -> tuple[Any, ...]:
            return marshal.loads, (marshal.dumps(compile("1", "x", "eval")),)

    class HasState:
        def __init__(self) -> None:
            self.state = 1

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for kind in (MakesAFolder, RunsCode, UnpacksCode):
            yield f"{kind.__name__}, protocol {protocol}", pickle.dumps({"weights": [kind()]}, protocol)
        for thing in (range(3), {1, 2}, frozenset((1,)), bytearray(b"x"), 1j, slice(1), Ellipsis, len, int):
            try:
                yield f"{type(thing).__name__}, protocol {protocol}", pickle.dumps([thing], protocol)
            except TypeError:  # slice, in old versions
                continue


def all_hostile() -> Iterator[tuple[str, bytes]]:
    """(what it is, bytes) for every pickle that must not be read."""
    for module, name, argument in GADGETS:
        for form, make in FORMS.items():
            yield f"{module}.{name} by {form}", make(module.encode(), name.encode(), argument.encode())
    yield from BY_HAND.items()
    yield from in_protocols()


def live() -> Iterator[tuple[str, bytes]]:
    """Those that can be given to pickle itself to see that they would have done harm."""
    for module, name, argument in LIVE:
        for form, make in FORMS.items():
            yield f"{module}.{name} by {form}", make(module.encode(), name.encode(), argument.encode())


def bombs() -> Iterator[tuple[str, bytes]]:
    """Pickles that ask for far more memory or time than their size."""
    huge, large = (1 << 63).to_bytes(8, "little"), (0xFFFFFFF0).to_bytes(4, "little")
    for name, code in (("BINUNICODE8", b"\x8d"), ("BINBYTES8", b"\x8e"), ("BYTEARRAY8", b"\x96"), ("FRAME", b"\x95")):
        yield f"{name} of 2**63 bytes", b"\x80\x05" + code + huge + b"x."
        yield f"{name} of 2 GiB", b"\x80\x05" + code + (1 << 31).to_bytes(8, "little") + b"x."
    for name, code in (("BINUNICODE", b"X"), ("BINBYTES", b"B"), ("LONG4", b"\x8b"), ("BINSTRING", b"T")):
        yield f"{name} of 4 GiB", b"\x80\x02" + code + large + b"x."
    yield "LONG4 of a megabyte", b"\x80\x02\x8b" + (1 << 20).to_bytes(4, "little") + b"\x7f" * (1 << 20) + b"."
    yield "LONG of a million digits", b"L" + b"9" * 1_000_000 + b"L\n."
    yield "INT of a million digits", b"I" + b"9" * 1_000_000 + b"\n."
    yield "FLOAT of a million digits", b"F" + b"9" * 1_000_000 + b"\n."
    yield "LONG_BINPUT far out", b"\x80\x02]r\xff\xff\xff\xff."
    yield "PUT far out", b"]p999999999999999999\n."
    yield "LONG_BINGET far out", b"\x80\x02]j\xff\xff\xff\xff."
    for name, opening, closing in (("lists", b"](", b"e"), ("tuples", b"(", b"t")):
        levels = b"".join(b"%sh%ch%c%sq%c" % (opening, i - 1, i - 1, closing, i) for i in range(1, 60))
        yield f"{name} of the last two, 60 times over", b"\x80\x02]q\x00" + levels + b"."
    yield (
        "a dict of dicts, shared",
        b"\x80\x02}q\x00" + b"".join(b"}q%c(Va\nh%cVb\nh%cu" % (i, i - 1, i - 1) for i in range(1, 60)) + b".",
    )
    million = (1 << 20).to_bytes(4, "little") + b"a" * (1 << 20)
    for name, code in (("text", b"X"), ("bytes", b"B")):
        yield (
            f"a megabyte of {name}, 100 000 times",
            b"\x80\x03]q\x00(" + code + million + b"q\x01" + b"h\x01" * 100_000 + b"e.",
        )
    yield "lists in lists", b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b"."
    yield "tuples in tuples", b"\x80\x02)" + b"\x85" * 500_000 + b"."
    yield "tuples in tuples as a key", b"\x80\x02})" + b"\x85" * 90_000 + b"Ns."
    yield "dicts in dicts", b"\x80\x02" + b"}Va\n" * 90_000 + b"N" + b"s" * 90_000 + b"."
    yield "half a million dicts", b"\x80\x02](" + b"}" * 500_000 + b"e."
    yield "a million marks", b"\x80\x02" + b"(" * 1_000_000
    yield "three million Nones", b"\x80\x02](" + b"N" * 3_000_000 + b"e."
    prime = (1 << 61) - 1  # all multiples of it have the hash 0
    keys = b"".join(b"\x8a\x0a" + (prime * i).to_bytes(10, "little") + b"N" for i in range(1, 20_000))
    yield "keys of one hash", b"\x80\x02}(" + keys + b"u."
