"""A server of the pages, with a model that tells upright bars from lying ones, for tests to ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from random import Random

import pytest

from scratchnn import Model
from scratchnn.play.learning import Learning
from scratchnn.play.server import PlayServer
from tests.play.asking import Client


@pytest.fixture(scope="module")
def bars() -> Model:
    rng, X, y = Random(1), [], []
    for number in range(60):
        place, label = rng.randrange(1, 8), number % 2
        X.append(bytes(255 * ((k % 9 if label else k // 9) == place) for k in range(81)))
        y.append(label)
    model = Model(81, 8)
    model.fit(X, y, epochs=12, lr=0.05)
    return model


@pytest.fixture(scope="module")
def server(bars: Model) -> Iterator[PlayServer]:
    serving = PlayServer(Learning(bars))
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()
    serving.end()


@pytest.fixture
def client(server: PlayServer) -> Iterator[Client]:
    asking = Client(server)
    yield asking
    asking.close()
