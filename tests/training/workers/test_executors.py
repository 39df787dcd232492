"""The same bytes whoever has started the workers: loky, a cluster of Dask on this machine, MPI. Each is left out where
it is not installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model, load_digits
from scratchnn.training.workers import sharing

ROOT = Path(__file__).resolve().parents[3]

TRAIN, _ = load_digits()


def digest(**more: Any) -> str:
    """Of the weights after a short run, with loops that are worth dividing."""
    model = Model(64, 40, 10, dropout=0.2, seed=3)
    model.fit(TRAIN.X[:96], TRAIN.y[:96], epochs=2, batch_size=48, **more)
    return hashlib.sha256(repr(model.weights).encode()).hexdigest()


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is warned of how small they are."""
    monkeypatch.setattr(sharing, "LEAST_WORK", 0)


def test_loky() -> None:
    loky = pytest.importorskip("loky")
    executor = loky.ProcessPoolExecutor(2)
    try:
        assert digest(executor=executor) == digest()
    finally:
        executor.shutdown(kill_workers=True)


@pytest.mark.slow
def test_joblib_and_its_reusable_executor() -> None:
    loky = pytest.importorskip("loky")
    assert digest(workers=3, executor=loky.get_reusable_executor(max_workers=2)) == digest()
    loky.get_reusable_executor().shutdown(wait=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        alone = digest()
        assert digest(workers=3, executor=client.get_executor()) == alone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert digest(workers=2, executor=client.get_executor()) == alone


MPI = """
import sys, warnings
sys.path.insert(0, {root!r})
from mpi4py.futures import MPIPoolExecutor
from tests.training.workers.test_executors import digest

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with MPIPoolExecutor() as executor:
        print(digest(), digest(workers=3, executor=executor))
"""


@pytest.mark.slow
def test_mpi(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py")
    if shutil.which("mpiexec") is None:
        pytest.skip("mpiexec is not there")
    script = tmp_path / "run.py"
    script.write_text(MPI.format(root=str(ROOT)), encoding="utf-8")
    command = ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", "3", sys.executable, "-m", "mpi4py.futures"]
    done = subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    alone, together = done.stdout.split()
    assert alone == together
