"""Forms with files are read few at a time: each is in memory several times over."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from apps.identity.middleware import forms
from apps.identity.middleware.forms import AT_ONCE, WAITING, Turns
from placet.kernel.problems import Busy


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(forms, "SECONDS", 0.01)
    yield


def test_so_many_send_at_once_and_the_next_is_refused(turns: Turns, impatient: None) -> None:
    with ExitStack() as stack:
        for number in range(AT_ONCE):
            stack.enter_context(turns.of(f"person {number}"))
        with pytest.raises(Busy), turns.of("one more"):
            pass
    with turns.of("one more"):
        pass


def test_one_person_sends_one_at_a_time(turns: Turns, impatient: None) -> None:
    with turns.of("Rex"):
        with pytest.raises(Busy), turns.of("Rex"):
            pass
        with turns.of("Ada"):
            pass


def test_who_waits_has_their_turn_and_few_wait(turns: Turns) -> None:
    went: list[int] = []

    def go(number: int) -> None:
        with turns.of("Rex"):
            went.append(number)

    threads = [threading.Thread(target=go, args=[number]) for number in range(WAITING)]
    with turns.of("Rex"):
        for thread in threads:
            thread.start()
        while turns._waiting < WAITING:
            pass
        with pytest.raises(Busy), turns.of("Rex"):
            pass
        assert went == []
    for thread in threads:
        thread.join()
    assert sorted(went) == [*range(WAITING)]


def test_a_form_that_fails_gives_its_turn_back(turns: Turns, impatient: None) -> None:
    with pytest.raises(ValueError, match="broken"), turns.of("Rex"):
        raise ValueError("broken")
    with turns.of("Rex"):
        pass
