"""``train --report`` and ``predict --report``: a page on the run, with the command that repeats it."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path

import pytest

from scratchnn import Model, predict, train
from scratchnn.info import weights_digest
from tests.commands import Runner, refused
from tests.reports.reading import Page, check_self_contained

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, train.main)


@pytest.fixture
def flowers(tmp_path: Path) -> str:
    lines = ["length,width,species"]
    for number in range(60):
        kind = number % 3
        lines.append(
            f"{kind * 3 + number % 7 / 10:.2f},{kind * 2 - number % 5 / 10:.2f},{('daisy', 'rose', '<b>')[kind]}"
        )
    Path("flowers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "flowers.csv"


def page_of(path: str) -> Page:
    page = Page(Path(path).read_text(encoding="utf-8"))
    check_self_contained(page)
    return page


def test_the_command_in_a_report_gives_the_digest_in_it(command: Runner, flowers: str) -> None:
    code, out, _ = command(flowers, "--epochs", 3, "--seed", 4, "--validation-split", 0.2, "--report", "r.html")
    assert code == 0 and "report written to r.html\n" in out
    page = page_of("r.html")
    repeat = page.text.partition("To repeat it ")[2].partition(" This command must give")[0]
    assert repeat == "python -m scratchnn.train flowers.csv --epochs 3 --seed 4 --validation-split 0.2 --report r.html"
    digest = weights_digest(Model.load("model.pkl"))
    assert digest in page.text and "seed 4" in page.text
    Path("model.pkl").unlink()
    assert command(*shlex.split(repeat)[3:])[0] == 0
    assert digest in page_of("r.html").text


def test_it_says_what_was_learned_from_and_how_well(command: Runner, flowers: str) -> None:
    out = command(flowers, "--epochs", 3, "--report", "r.html")[1]
    text = page_of("r.html").text
    assert "file flowers.csv rows to learn from 48 rows to test on 12 (held out) label column 3 ('species')" in text
    accuracy = out.partition("test accuracy: ")[2].split("\n")[0]
    assert f"{float(accuracy[:-1]):.0f}" in text.partition("accuracy ")[2].split("%")[0]
    assert "accuracy on training rows" in text
    assert "<b> daisy rose" in text


def test_numbers_to_be_predicted(command: Runner, flowers: str) -> None:
    code, _, _ = command(flowers, "--regression", "--label", "length", "--epochs", 2, "--report", "r.html")
    assert code == 2  # the kind is no number
    lines = [f"{k},{k * 2}" for k in range(40)]
    Path("line.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert command("line.csv", "--regression", "--report", "r.html", "--json")[0] == 0
    assert "Largest errors" in page_of("r.html").headings


def test_a_run_that_goes_on_with_a_model_says_with_which(command: Runner, flowers: str) -> None:
    command(flowers, "--epochs", 1)
    digest = weights_digest(Model.load("model.pkl"))
    command(flowers, "--epochs", 1, "--from", "model.pkl", "--report", "r.html")
    assert f"the model that model.pkl held before, whose weights had the SHA-256 {digest}." in page_of("r.html").text


def test_a_resumed_run_reports_what_one_that_was_let_alone_does(command: Runner, flowers: str) -> None:
    command(flowers, "--epochs", 2, "--checkpoint", "c.ckpt")
    command(flowers, "--epochs", 2, "--checkpoint", "c.ckpt", "--resume", "--report", "r.html")
    text = page_of("r.html").text
    assert "--resume" not in text and weights_digest(Model.load("model.pkl")) in text


def test_json_goes_with_a_report(command: Runner, flowers: str) -> None:
    _, out, _ = command(flowers, "--epochs", 1, "--json", "--report", "r.html")
    assert json.loads(out)["test_rows"] == 12
    assert page_of("r.html").headings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "r.pkl"], "expected a name that ends in .html"),
        (["--report", "m.html", "--save", "m.html"], "--report and --save name one file"),
        (["--report", "c.html", "--checkpoint", "c.html"], "--report and --checkpoint name one file"),
        (["--report", "nowhere/r.html"], "nowhere"),
    ],
)
def test_a_place_that_will_not_do_is_refused_before_training(
    command: Runner, flowers: str, options: list[str], words: str
) -> None:
    assert words in refused(command(flowers, *options))
    assert not Path("model.pkl").exists()


def test_the_rows_themselves_are_not_overwritten(command: Runner, flowers: str) -> None:
    Path("flowers.html").write_text(Path(flowers).read_text(encoding="utf-8"), encoding="utf-8")
    refused(command("flowers.html", "--report", "flowers.html"))
    assert Path("flowers.html").read_text(encoding="utf-8").startswith("length")


def test_predict_reports_on_labelled_rows(command: Runner, call: Runner, flowers: str) -> None:
    command(flowers, "--epochs", 2)
    code, out, err = call(predict.main, "model.pkl", flowers, "--report", "p.html")
    assert code == 0 and len(out.splitlines()) == 60
    assert err.splitlines()[0].startswith("accuracy: ") and err.splitlines()[-1] == "report written to p.html"
    page = page_of("p.html")
    assert "python -m scratchnn.predict model.pkl flowers.csv --report p.html" in page.text
    assert weights_digest(Model.load("model.pkl")) in page.text


def test_predict_refuses_what_cannot_be_reported_on(command: Runner, call: Runner, flowers: str) -> None:
    command(flowers, "--epochs", 1)
    Path("bare.csv").write_text("1,2\n", encoding="utf-8")
    refused(call(predict.main, "model.pkl", "bare.csv", "--report", "p.html"))
    assert "one file" in refused(call(predict.main, "model.pkl", flowers, "--report", "p.html", "-o", "p.html"))
    assert ".html" in refused(call(predict.main, "model.pkl", flowers, "--report", "model.pkl"))
    assert not Path("p.html").exists()
