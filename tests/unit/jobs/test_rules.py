"""How long a job waits before it is tried again, and what a person reads about it."""

from apps.jobs.rules import MAX_ERROR, backoff, in_words
from placet.kernel.problems import Conflict


def test_waiting_doubles_up_to_five_minutes() -> None:
    assert [backoff(n) for n in (1, 2, 3, 9, 500)] == [2, 4, 8, 300, 300]


def test_an_error_is_a_sentence_of_bounded_length() -> None:
    assert in_words(ValueError("the disk is full")) == "ValueError: the disk is full"
    assert in_words(KeyError()) == "KeyError"
    assert in_words(Conflict("It is live already")) == "It is live already"
    assert len(in_words(ValueError("x" * 9999))) == MAX_ERROR
