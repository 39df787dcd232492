"""The benchmark command: every section prints its table, peers that are missing are said to be, bad calls are refused.

What it measures is of no concern here, only that it does; sizes are tiny. Most runs happen in an interpreter that sees
no installed package, so they are the same whatever this one has.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "benchmark.py"
PEERS = ("NumPy by hand, one thread", "scikit-learn's MLPClassifier", "PyTorch, float32, one thread")


def benchmark(*arguments: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-S"] if isolated else []), str(SCRIPT), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SCRATCHNN"))}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


def output(*arguments: str, isolated: bool = True) -> str:
    result = benchmark(*arguments, isolated=isolated)
    assert result.returncode == 0, result.stderr
    return result.stdout


def line_of(text: str, start: str) -> str:
    """The one line of the text that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return line


def number(text: str) -> float:
    return float(text.replace(",", ""))


needs_wait4 = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures the memory of processes with os.wait4")


def line_of_first(text: str, start: str) -> str:
    """The first line of the text that begins so."""
    return next(line for line in text.splitlines() if line.startswith(start))


@needs_wait4
@pytest.mark.slow
def test_all_of_it_runs_on_the_digits_without_any_peer() -> None:
    text = output("--quick", "--full")
    for heading in (
        "Training 64-100-10, 100 images, batches of 32",
        "Other networks, lanes (64 images) and linalg (32 images only)",
        "Ways to train 64-100-10, 64 images, batches of 32",
        "Engines of arrays over programs by hand in float64, 64 images, batches of 32",
        "A network of 4-3-2, 20 rows, one at a time",
        "Two processes that train together, 64 images: time of the busier one over one alone",
        "Conv2D(1, 8, 3) on images of 8 x 8: forward, and the gradient of its weight",
        "Loss of both engines, the same seed, 64 images",
        "Loading 100 rows of 64 pixels as CSV",
        "Loading 100 rows of 21 floats as CSV",
        "Predicting 64 rows at once with 64-100-10",
        "Predicting one row at a time",
        "Loading a saved model of 64-100-10",
        "Cold start: a new process loads a saved model and predicts one row",
        "Peak memory of one epoch on 100 images, from the start of the process",
        "Cost of an image; where not said, 64 images, hidden 100, batches of 32",
        "Training on all 100 images with lanes",
        "In short, on the digits that come with scratchnn (1437 training images, 64 pixels)",
    ):
        assert heading in text.splitlines()
    for start in ("scratchnn, lanes ", "after epoch 3 ", "scratchnn's load_csv ", "hidden 8 ", "all images in one"):
        assert any(character.isdigit() for character in line_of_first(text, start)[len(start) :])
    assert f"Python {'.'.join(map(str, sys.version_info[:3]))}" in text
    assert "full MNIST, 5 epochs: test accuracy" in text
    assert line_of(text, "full MNIST, 5 epochs").endswith("not measured")  # the digits are not MNIST


def test_peers_that_are_missing_are_said_to_be_and_ratios_to_them_left_out() -> None:
    text = output("--quick", "--only", "training,load,latency,growth")
    for start in (*PEERS, "pandas.read_csv", "numpy.loadtxt", "scikit-learn's MLPClassifier, an array of float64"):
        line = line_of_first(text, start)
        assert "not installed" in line
        assert line.endswith("-")
    assert line_of(text, "training, 100 images, hidden 100").endswith("NumPy is not installed")
    assert line_of(text, "`load_csv` on 100 rows of floats").endswith("pandas is not installed")
    assert "NumPy not installed, scikit-learn not installed, pandas not installed, torch not installed" in text


def test_programs_by_hand_and_engines_that_are_missing_are_said_to_be() -> None:
    text = output("--quick", "--only", "paths,engines,predict,saved")
    for start in ("clip_norm 1 ", "rows of 64 floats ", "Conv2D(1, 8, 3), pooling, linear "):
        cells = line_of_first(text, start)[len(start) :].split()
        assert float(cells[0].replace(",", "")) > 0.0  # lanes need nobody
        assert cells[1:] == ["not", "installed", "not", "installed", "-", "-"]
    for start in ("NumPy by hand, µs an image ", "PyTorch by hand, µs an image "):
        assert line_of(text, start)[len(start) :].split() == ["not", "installed"] * 5
    for start in ("engine numpy over it", "engine numpy float32 over it", "engine torch over it"):
        assert line_of(text, start)[len(start) :].split() == ["-"] * 5
    for start in ("NumPy by hand, an array", "scikit-learn's MLPClassifier with joblib"):
        assert "not installed" in line_of_first(text, start)
    assert line_of(text, "all ways to train").endswith("NumPy is not installed")
    assert line_of(text, "engine `torch` on the CPU").endswith("PyTorch is not installed")


def test_all_ways_to_train_are_measured_over_numpy() -> None:
    pytest.importorskip("numpy")
    text = output("--quick", "--only", "paths", isolated=False)
    for start in ("SGD, hidden 1000 ", "RMSprop ", "rows of 64 floats ", "Conv2D(1, 8, 3), pooling, linear "):
        lanes, engine, hand, *ratios = map(number, line_of_first(text, start)[len(start) :].split())
        assert ratios == pytest.approx([lanes / engine, lanes / hand], rel=0.02)  # of rounded numbers
    assert line_of(text, "all ways to train").endswith(")")


@pytest.mark.slow
def test_engines_are_measured_over_programs_by_hand() -> None:
    pytest.importorskip("torch")
    text = output("--quick", "--only", "engines", isolated=False)
    for start in ("NumPy by hand", "engine numpy over", "engine numpy float32", "PyTorch by hand", "engine torch over"):
        assert all(number(cell) > 0.0 for cell in line_of(text, start).split()[-5:])
    for start in ("engine `numpy`", "the same in float32", "engine `torch`"):
        assert number(line_of(text, start).split()[-1]) > 0.0


def test_small_things_are_measured() -> None:
    text = output("--quick", "--only", "tiny,predict,latency,saved")
    for start in ("training, batches of one row ", "predicting one row ", "scratchnn, lists of ints ", "Model.load "):
        assert number(line_of_first(text, start)[len(start) :].split()[0]) > 0.0
    assert number(line_of(text, "one-row `predict` of a list of ints").split()[-1]) > 0.0
    assert line_of(text, "`Model.load` of a saved model").endswith(" ms")


def test_few_images_are_said_to_be_few_and_have_no_accuracy() -> None:
    text = output("--quick", "--only", "training")
    assert line_of(text, "textbook triple loop (4 images only)").endswith("-")
    assert line_of(text, "scratchnn, lanes").endswith("%")


def test_only_the_sections_asked_for_run() -> None:
    text = output("--quick", "--only", "agreement")
    assert "Loss of both engines" in text
    assert "Training" not in text
    assert line_of(text, "the same, textbook triple loop over ours").endswith("not measured")


def test_installed_peers_are_measured() -> None:
    numpy = pytest.importorskip("numpy")
    text = output("--quick", "--only", "growth", isolated=False)
    ours, theirs, ratio = (float(cell.replace(",", "")) for cell in line_of(text, "hidden 8 ").split()[2:])
    assert ratio == pytest.approx(ours / theirs, rel=0.02)  # of rounded numbers
    assert f"NumPy {numpy.__version__}" in text


@pytest.mark.slow
def test_installed_peers_are_trained_alike() -> None:
    pytest.importorskip("sklearn")
    text = output("--quick", "--only", "training", isolated=False)
    assert line_of(text, PEERS[0]).split()[-3] == "1.00"  # over itself
    assert all(line_of(text, peer).endswith("%") for peer in PEERS[:2])


def test_two_processes_are_measured() -> None:
    text = output("--quick", "--only", "workers")
    assert float(line_of(text, "hidden 20 ").split()[2]) > 0.0  # batches of 32; the others take all rows at once


def test_tables_in_markdown() -> None:
    lines = output("--quick", "--only", "agreement", "--markdown").splitlines()
    assert "### Loss of both engines, the same seed, 64 images" in lines
    summary = lines[lines.index(next(line for line in lines if line.startswith("| what "))) :]
    assert [cell.strip() for cell in summary[0].split("|")[1:-1]] == ["what", "measured"]
    assert set(summary[1]) <= set("|-: ")
    assert {line.count("|") for line in summary if line.startswith("|")} == {3}
    assert summary[-1].startswith("Measured on ")


@needs_wait4
def test_a_spike_is_run_in_turn_with_ours(tmp_path: Path) -> None:
    spike = tmp_path / "spike.py"
    spike.write_text("import sys\nprint(f'epoch 1: {sys.argv[4]}000 us an image to train, 2 us to predict')\n")
    text = output("--quick", "--only", "spike", "--spike", str(spike))
    assert line_of(text, "spike, lanes of 40 bits").split()[-2:] == ["40,000.0", "1.00"]
    assert line_of(text, "spike, lanes of 48 bits").split()[-2:] == ["48,000.0", "1.20"]
    assert str(tmp_path) not in text


def test_a_csv_is_parted_into_training_and_test(tmp_path: Path) -> None:
    path = tmp_path / "pixels.csv"
    rows = [[k % 2, *[(255, k)[k % 2]] * 16] for k in range(140)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    text = output(str(path), "--quick", "--only", "training")
    assert "Training 16-100-2, 100 images, batches of 32" in text
    assert "In short, on pixels.csv (120 training images, 16 pixels)" in text


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_with_mnists_files(tmp_path: Path, suffix: str) -> None:
    for part, count in (("train", 60), ("t10k", 10)):
        for name, header, body in (
            ("images-idx3", [3, count, 1, 2], bytes(range(2 * count))),
            ("labels-idx1", [1, count], bytes(k % 3 for k in range(count))),
        ):
            kind, *lengths = header
            content = bytes([0, 0, 8, kind]) + b"".join(n.to_bytes(4, "big") for n in lengths) + body
            path = tmp_path / f"{part}-{name}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix else content)
    text = output(str(tmp_path), "--quick", "--only", "training")
    assert "Training 2-100-3, 60 images, batches of 32" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "speed"], "unknown section 'speed': there are training, spike, variants"),
        (["--images", "0"], "--images must be at least 50, got 0"),
        (["nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments: list[str], said: str) -> None:
    result = benchmark("--quick", *arguments)
    assert result.returncode == 2
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_rows_that_are_not_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "flowers.csv"
    path.write_text("kind,length\n" + "rose,1.5\nlily,2.5\n" * 60)
    result = benchmark("--quick", str(path))
    assert result.returncode == 2
    assert result.stderr == "error: flowers.csv: the benchmark needs rows of pixels, 0 to 255, with class labels\n"


def test_convolution_is_measured_on_both_engines() -> None:
    text = output("--quick", "--only", "convolution")
    assert line_of(text, "`Conv2D(1, 8, 3)`")
