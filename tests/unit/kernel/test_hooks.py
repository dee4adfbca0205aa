"""Hooks call everybody who takes part; a slot has one, and must."""

import pytest

from placet.kernel.hooks import Hook, Slot


def test_a_hook_asks_its_own_app_first_and_then_the_others_as_they_came() -> None:
    @Hook
    def greetings(name: str, *, sign: str = "!") -> str:
        """Greet somebody."""
        return f"own {name}{sign}"

    def second(name: str, *, sign: str = "!") -> str:
        return f"second {name}{sign}"

    def third(name: str, *, sign: str = "!") -> str:
        return f"third {name}{sign}"

    assert greetings("Ada") == ["own Ada!"]
    for part in (second, third, second):  # an app may be made ready twice
        greetings.register(part)
    assert greetings("Ada", sign="?") == ["own Ada?", "second Ada?", "third Ada?"]
    assert greetings.__doc__ == "Greet somebody."


def test_what_one_raises_ends_the_call() -> None:
    asked: list[str] = []

    @Hook
    def refusals(name: str) -> None:
        """Ask whether somebody may come in."""

    def refuse(name: str) -> None:
        raise PermissionError(name)

    for part in (asked.append, refuse, asked.append, lambda name: asked.append("later")):
        refusals.register(part)
    with pytest.raises(PermissionError, match="Ada"):
        refusals("Ada")
    assert asked == ["Ada"]


def test_a_slot_that_nobody_filled_says_what_is_missing() -> None:
    slot = Slot[list[str]]("who is in")
    with pytest.raises(LookupError, match="who is in"):
        slot()
    slot.fill([])
    assert slot() == [], "an empty one is one"
    slot.fill(["Ada"])
    assert slot() == ["Ada"]
