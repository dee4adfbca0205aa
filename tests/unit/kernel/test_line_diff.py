"""What differs between two texts is said line by line, and never takes long."""

import difflib
import random
import time

import pytest

from apps.registry.cards import MAX_CARD_BYTES
from placet.kernel.line_diff import CUT, line_diff


def test_cards_are_compared_by_line() -> None:
    assert line_diff("a\nb", "a\nc", ("m:1", "m:2")) == [
        "--- m:1",
        "+++ m:2",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
    assert line_diff("a", "a", ("m:1", "m:2")) == []


def shuffled(seed: int) -> str:
    """Return a card of as many lines as fit, from a hundred words in another order each time."""
    words = [first + second for first in "abcdefghij" for second in "abcdefghij"]
    lines = words * (MAX_CARD_BYTES // 300)
    random.Random(seed).shuffle(lines)
    return "\n".join(lines)


def apart(kind: str) -> str:
    """Return a card whose every other line is in all such cards, and the rest in none."""
    return "\n".join(f"{n:x}" if n % 2 else f"{kind}{n:x}" for n in range(MAX_CARD_BYTES // 7))


HOSTILE = [(shuffled(1), shuffled(2)), (apart("a"), apart("b")), ("x\n" * 100_000, "x\n" * 99_999)]


@pytest.mark.parametrize(("before", "after"), HOSTILE, ids=["shuffled", "apart", "one line"])
def test_no_two_cards_take_long_to_compare(before: str, after: str) -> None:
    assert max(len(before), len(after)) <= MAX_CARD_BYTES
    began = time.process_time()
    lines = line_diff(before, after, ("m:1", "m:2"))
    assert time.process_time() - began < 3
    assert lines[:2] == ["--- m:1", "+++ m:2"]
    assert {line[0] for line in lines[3:]} >= {"-"}
    assert len(lines) <= 2000


@pytest.mark.parametrize("at", [0, 1, 2_000, 6_090, 6_099])
def test_a_line_that_changed_in_a_long_card_is_shown_as_that_line(at: int) -> None:
    lines = [f"{n} something that is said" if n % 3 else "" for n in range(6_100)]
    changed = [*lines[:at], "something else", *lines[at + 1 :]]
    diff = line_diff("\n".join([*lines, ""]), "\n".join([*changed, ""]), ("a", "b"))
    assert diff == [*difflib.unified_diff(lines, changed, "a", "b", lineterm="")]
    assert [line for line in diff[2:] if line[0] in "+-"] == [f"-{lines[at]}", "+something else"]


def test_what_is_not_shown_is_said() -> None:
    many, others = "\n".join(map(str, range(3_000))), "\n".join(f"x{n}" for n in range(3_000))
    assert line_diff(many, others, ("a", "b"))[-1] == CUT
    assert line_diff(shuffled(1), shuffled(2), ("a", "b"))[-1] == CUT
    assert CUT not in line_diff("a", "b", ("a", "b"))


def test_what_may_take_fewer_steps_is_shown_as_replaced_sooner() -> None:
    before, after = "a\nb\nc", "c\nb\na"
    assert " a" in line_diff(before, after, ("a", "b"))
    replaced = ["-a", "-b", "-c", "+c", "+b", "+a"]
    assert line_diff(before, after, ("a", "b"), steps=1)[3:] == replaced
