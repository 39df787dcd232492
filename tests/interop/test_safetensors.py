"""Safetensors files: numbers of every dtype, the bytes that the package ``safetensors`` writes, and bad arguments."""

from __future__ import annotations

import ctypes
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from scratchnn.errors import ArgumentError, ModelFileError
from scratchnn.interop.safetensors import Tensor, from_bytes, load_file, save_file, to_bytes

ROOT = Path(__file__).resolve().parents[2]

# (dtype, numbers, their bytes as the package and PyTorch have them)
VALUES: list[tuple[str, list[Any], str]] = [
    ("F64", [1.0, -0.1, math.inf], "000000000000f03f9a9999999999b9bf000000000000f07f"),
    ("F32", [1.0, -0.5], "0000803f000000bf"),
    ("F16", [1.0, -2.0, 65504.0, 2.0**-24], "003c00c0ff7b0100"),
    ("I64", [-1, 1 << 62], "ffffffffffffffff0000000000000040"),
    ("I32", [-2, 2147483647], "feffffffffffff7f"),
    ("I16", [-2, 300], "feff2c01"),
    ("I8", [-128, 127], "807f"),
    ("U8", [0, 255], "00ff"),
    ("U16", [1, 65535], "0100ffff"),
    ("U32", [1, 4294967295], "01000000ffffffff"),
    ("U64", [1, (1 << 64) - 1], "0100000000000000ffffffffffffffff"),
    ("BOOL", [True, False], "0100"),
]


@pytest.mark.parametrize(("dtype", "numbers", "expected"), VALUES, ids=[value[0] for value in VALUES])
def test_numbers_of_a_dtype_are_written_and_read(dtype: str, numbers: list[Any], expected: str, tmp_path: Path) -> None:
    tensor = Tensor.of(numbers, [len(numbers)], dtype)
    assert bytes(tensor.data).hex() == expected
    save_file({"a": tensor}, tmp_path / "a.safetensors")
    again = load_file(tmp_path / "a.safetensors").tensors["a"]
    assert again == tensor
    assert again.numbers() == numbers
    assert {*map(type, again.numbers())} == {*map(type, numbers)}


def test_brain_floats_are_the_upper_halves_of_floats() -> None:
    assert Tensor("BF16", [4], bytes.fromhex("803f00c0807f4049")).numbers() == [1.0, -2.0, math.inf, 786432.0]
    assert Tensor("BF16", [0], b"").numbers() == []


def test_dtypes_without_values_here_are_known_by_their_size() -> None:
    narrow = ("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4", "F6_E2M3", "F6_E3M2", "C64")
    for dtype, size in zip(narrow, (8, 8, 8, 8, 8, 4, 6, 6, 64)):
        tensors = from_bytes(to_bytes({"a": Tensor(dtype, [2, 4], bytes(size))})).tensors
        with pytest.raises(ArgumentError, match=f"unknown dtype to read {dtype!r}: known are BOOL, U8"):
            tensors["a"].numbers()
        with pytest.raises(ArgumentError, match="unknown dtype to write"):
            Tensor.of([1.0], [1], dtype)
        with pytest.raises(ArgumentError, match=f"needs {size} bytes, got {size + 1}"):
            to_bytes({"a": Tensor(dtype, [2, 4], bytes(size + 1))})


@pytest.mark.parametrize(
    ("numbers", "shape", "dtype", "message"),
    [
        ([1.0, 2.0], [3], "F64", r"a tensor of shape \[3\] has 3 numbers, got 2"),
        ([1e39], [1], "F32", "cannot be written as F32"),
        ([70000.0], [1], "F16", "cannot be written as F16"),
        ([256], [1], "U8", "cannot be written as U8"),
        ([0.5], [1], "I8", "cannot be written as I8"),
        (["a"], [1], "F64", "cannot be written as F64"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(numbers: list[Any], shape: list[int], dtype: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Tensor.of(numbers, shape, dtype)


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"__metadata__": Tensor.of([1.0], [1])}, None, "none __metadata__"),
        ({1: Tensor.of([1.0], [1])}, None, "tensors are called by texts"),
        ({"a": Tensor("F64", [1], bytes(7))}, None, "needs 8 bytes, got 7"),
        ({"a": Tensor("F65", [1], bytes(8))}, None, "unknown dtype, 'F65'"),
        ({"a": Tensor("F64", [-1], bytes(8))}, None, "shape"),
        ({"a": Tensor("F64", [1.0], bytes(8))}, None, "shape"),  # type: ignore[list-item]
        ({"\ud800": Tensor.of([1.0], [1])}, None, "half of a character"),
        ({}, {"a": 1}, "metadata must be texts by name"),
        ({}, {"a": "\udfff"}, "half of a character"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tensors: Any, metadata: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        save_file(tensors, tmp_path / "a.safetensors", metadata)
    assert not [*tmp_path.iterdir()]


def several() -> dict[str, Tensor]:
    return {
        "b": Tensor.of([1, 2, 3], [3], "U8"),
        "a": Tensor.of(range(6), [2, 3], "F64"),
        "scalar": Tensor.of([5.0], [], "F32"),
        'é𝄞\n"\\': Tensor.of([7], [1, 1], "I64"),
        "none": Tensor.of([], [3, 0], "F32"),
    }


def test_a_file_begins_with_its_header_padded_to_eight_bytes(tmp_path: Path) -> None:
    data = to_bytes(several(), {"format": "pt"})
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    assert header["__metadata__"] == {"format": "pt"}
    assert header["a"] == {"dtype": "F64", "shape": [2, 3], "data_offsets": [8, 56]}
    assert [*from_bytes(data).tensors] == ['é𝄞\n"\\', "a", "none", "scalar", "b"]


def test_the_package_reads_what_is_written_and_writes_the_same_bytes(tmp_path: Path) -> None:
    package: Any = pytest.importorskip(
        "safetensors", reason="safetensors, which this is compared with, is not installed"
    )
    tensors = several()
    for dtype, numbers, _ in VALUES:
        tensors[f"of {dtype}"] = Tensor.of(numbers, [1, len(numbers)], dtype)
    tensors.update({f"of {d}": Tensor(d, [8], bytes(range(n))) for d, n in (("BF16", 16), ("F8_E4M3", 8), ("F4", 4))})
    buffers = {name: ctypes.create_string_buffer(bytes(t.data), len(t.data) or 1) for name, t in tensors.items()}
    specifications = {
        name: package.TensorSpec(
            dtype=DTYPES[t.dtype],
            shape=[4] if t.dtype == "F4" else [*t.shape],  # two of them are one item there
            data_ptr=ctypes.addressof(buffers[name]),
            data_len=len(t.data),
        )
        for name, t in tensors.items()
    }
    for metadata in (None, {"format": "pt"}):
        data = to_bytes(tensors, metadata)
        found = {n: (i["dtype"], i["shape"], bytes(i["data"])) for n, i in package.deserialize(data)}
        assert found == {n: (t.dtype, [*t.shape], bytes(t.data)) for n, t in tensors.items()}
        assert bytes(package.serialize(specifications, metadata=metadata)) == data


DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F4": "float4_e2m1fn_x2",
    "BOOL": "bool",
    **{f"{kind}{bits}": f"{name}{bits}" for kind, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
}


# --- files that are none, or that lie ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"1234567", "shorter than the length of its header"),
        (b"PK\x03\x04 a zip archive", "its header would be"),
        (bytes([200]) + bytes(7) + b"{}", "a header of 200 bytes, of which 2 are there"),
        (bytes([2]) + bytes(7) + b"{}x", "there is more behind the 0 bytes"),
        (bytes([2]) + bytes(7) + b"[]", "the header is no JSON object"),
        (bytes([2]) + bytes(7) + b"{\xff", "the header is no UTF-8"),
        (to_bytes(several())[:-1], "the tensors take 63 bytes, of which 62 are there"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", '\\\\\\"[', "[{" * 70])
def test_nothing_is_nested_deeper_than_the_package_reads(text: str) -> None:
    """127 lists and objects in one another are read, one more is not; brackets in texts are none."""

    def file_of(depth: int) -> bytes:
        nested = "[" * (depth - 2) + "]" * (depth - 2)
        header = f'{{"a":{{"dtype":"U8","shape":[0],"data_offsets":[0,0],"b":"{text}","more":{nested}}}}}'
        return len(header).to_bytes(8, "little") + header.encode()

    assert [*from_bytes(file_of(127)).tensors] == ["a"]
    with pytest.raises(ModelFileError, match="nested more than 127 deep"):
        from_bytes(file_of(128))
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError:
        return
    assert [name for name, _ in deserialize(file_of(127))] == ["a"]
    with pytest.raises(SafetensorError, match="recursion limit"):
        deserialize(file_of(128))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ('{"dtype":{"U8":null},"shape":[0],"data_offsets":[0,0]}', None),
        ('{"dtype":{"U8":0},"shape":[0],"data_offsets":[0,0]}', "unknown dtype"),
        ('{"dtype":"F4","shape":[1],"data_offsets":[0,0]}', "does not end with a whole byte"),
        ('{"dtype":"U8","shape":[9223372036854775808,4,0],"data_offsets":[0,0]}', "too large"),
        ('{"dtype":"U8","shape":[0,9223372036854775808,4],"data_offsets":[0,0]}', None),
        ('{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":"\\ud83d\\ude00"}', None),
        ('{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":"\\ud83d"}', "half of a character"),
    ],
)
def test_corners_of_the_format_are_as_the_package_has_them(tensor: str, message: str | None) -> None:
    header = f'{{"a":{tensor}}}'.encode()
    data = len(header).to_bytes(8, "little") + header
    if message is None:
        assert [*from_bytes(data).tensors] == ["a"]
    else:
        with pytest.raises(ModelFileError, match=message):
            from_bytes(data)
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError:
        return
    try:
        deserialize(data)
        taken = True
    except SafetensorError:
        taken = False
    assert taken is (message is None)


def test_a_header_that_nobody_would_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scratchnn.interop.safetensors.MOST_HEADER_BYTES", 100)
    assert to_bytes({}, {"a": "b" * 60})
    with pytest.raises(ArgumentError, match=r"names, shapes and texts take 1\d\d bytes, at most 100 can be"):
        to_bytes({}, {"a": "b" * 100})


def test_places_that_are_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        load_file(tmp_path / "none.safetensors")
    with pytest.raises(ModelFileError, match="a directory"):
        load_file(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_file("a\0b")


def test_a_larger_file_than_is_allowed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": Tensor.of(range(1000), [1000])}, path)
    with pytest.raises(ModelFileError, match="longer than 8000 bytes"):
        load_file(path, max_bytes=8000)
    assert len(load_file(path, max_bytes=9000).tensors["a"].numbers()) == 1000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names as POSIX has them")
def test_a_larger_header_than_is_allowed_is_not_read_either(tmp_path: Path) -> None:
    """Whoever allows a thousand bytes is not to read, and take apart, a hundred million."""
    path = tmp_path / "x.safetensors"
    header = b'{"a":[' + b"[]," * 100_000 + b"[]]}"  # which would be refused for another reason
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelFileError, match="longer than 1000 bytes; pass a larger max_bytes"):
        load_file(path, max_bytes=1000)


def test_a_pipe_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = to_bytes({"a": Tensor.of(range(300_000), [300_000])})
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert load_file(pipe).tensors["a"].numbers()[-1] == 299_999.0
    writer.join()


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on memory that holds")
def test_a_small_file_that_says_that_it_is_huge_costs_nothing(tmp_path: Path) -> None:
    liars = [(100_000_000).to_bytes(8, "little") + b"{}", (1 << 63).to_bytes(8, "little")]
    for size in (3 << 30, 1 << 40, 1 << 63):
        header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
        liars.append(len(header).to_bytes(8, "little") + header + b"few")
    deep = b'{"a":' + b"[" * 20_000_000 + b"]" * 20_000_000 + b"}"
    liars.append(len(deep).to_bytes(8, "little") + deep)
    for number, data in enumerate(liars):
        (tmp_path / f"{number}.safetensors").write_bytes(data)
    code = (
        f"import resource, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from scratchnn.interop.safetensors import load_file\n"
        "sys.setrecursionlimit(1 << 30)\n"  # nobody else's business: no parser may run into it
        "resource.setrlimit(resource.RLIMIT_AS, (700 << 20,) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    try: load_file(path)\n"
        "    except ValueError as error: print(error)\n"
    )
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    result = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-500:]
    assert len(result.stdout.splitlines()) == len(liars)
    assert "nested more than 127 deep" in result.stdout
