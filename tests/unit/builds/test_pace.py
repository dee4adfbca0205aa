"""When a generated service predicts in its event loop, and when in threads."""

import asyncio
import importlib
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "workers" / "builder" / "templates"
SIGNATURE = {"inputs": [{"name": "age", "type": "double"}, {"name": "name", "type": "string"}]}


@pytest.fixture(scope="module")
def http() -> Iterator[Any]:
    """The template as a module."""
    names = ("placet_http", "placet_inputs")
    sys.path.insert(0, str(TEMPLATES))
    try:
        yield importlib.import_module(names[0])
    finally:
        sys.path.remove(str(TEMPLATES))
        for name in names:
            sys.modules.pop(name, None)


def paced(http: Any, *took: float) -> Any:
    pace = http.Pace()
    for seconds in took:
        pace.tried(seconds)
    return pace


def test_it_is_short_when_nine_of_ten_were(http: Any) -> None:
    short, long = [http.Pace.SHORT] * 58, [1.0] * 6
    assert not paced(http, *short, *long[:5]).short  # one is not known yet
    assert paced(http, *short, *long).short
    assert not paced(http, *short[:57], *long, 1.0).short


def test_one_that_was_long_at_first_is_judged_anew(http: Any) -> None:
    assert paced(http, *[1.0] * 64, *[0.0001] * 64).short


def test_one_that_blocks_goes_back_to_threads_for_good_and_says_so(
    http: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pace = paced(http, *[0.0001] * 64)
    pace.blocked(0.02)
    pace.blocked(0.009)
    pace.blocked(0.02)
    assert pace.short
    with caplog.at_level(logging.WARNING):
        pace.blocked(0.03)
    assert caplog.messages == ["Predictions take 30 ms now: in threads again"]
    for _ in range(200):
        pace.tried(0.0001)
    assert not pace.short


def test_those_that_were_in_threads_already_say_nothing_of_the_loop(http: Any) -> None:
    """A burst of requests waits for threads while the first of them decide."""
    assert paced(http, *[0.0001] * 64, *[0.05] * 100).short


class Model:
    """Notes which thread it predicts in; fails slowly where it is told to."""

    def __init__(self) -> None:
        self.threads: list[bool] = []

    def predict(self, rows: list[Any]) -> list[Any]:
        self.threads.append(threading.current_thread() is threading.main_thread())
        if rows[0]["age"] < 0:
            time.sleep(0.02)
            raise ValueError("no such age")
        return [0.5 for _ in rows]


class Nothing:
    """Captures nothing."""

    def wants(self, prediction: str) -> bool:
        return False


def asked(http: Any, bodies: list[Any]) -> tuple[list[bool], list[int]]:
    """Put these bodies to a service one after the other; return which were predicted in the event
    loop, and the statuses."""
    app = http.PredictApp({"signature": SIGNATURE}, Nothing())
    app.model = model = Model()
    statuses: list[int] = []

    async def ask(body: Any) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        scope = {"type": "http", "path": "/predict", "method": "POST", "headers": []}
        await app(scope, receive, send)

    async def all_of_them() -> None:
        for body in bodies:
            await ask(body)

    asyncio.run(all_of_them())
    return model.threads, statuses


ROW = {"age": 41, "name": "Ada"}


def test_many_rows_and_long_texts_stay_in_threads(http: Any) -> None:
    """What they take says nothing of the next."""
    long = {"age": 41, "name": "A" * http.SMALL_BODY}
    in_loop, statuses = asked(http, [*[ROW] * 65, {"instances": [ROW]}, long, ROW])
    assert in_loop == [*[False] * 64, True, False, False, True]
    assert set(statuses) == {200}


def test_one_that_fails_slowly_blocks_as_well(http: Any) -> None:
    slow = {"age": -1, "name": "Ada"}
    in_loop, statuses = asked(http, [*[ROW] * 64, *[slow] * 4, ROW])
    assert in_loop == [*[False] * 64, *[True] * 3, False, False]
    assert statuses == [*[200] * 64, *[500] * 4, 200]
