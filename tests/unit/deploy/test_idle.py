"""Which connection ends where too many hold no thread."""

from placet.idle import Idle


class Queue:
    """Connections of one kind, by name."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.names)

    def end_oldest(self) -> None:
        del self.names[0]


def test_two_kinds_have_room_for_one_together_and_the_larger_gives_its_oldest() -> None:
    idle, heads, kept = Idle(4), Queue("a", "b", "c", "d"), Queue("x", "y", "z")
    idle.kinds = [heads, kept]
    idle.bound()
    assert (heads.names, kept.names) == (["c", "d"], ["y", "z"])
    idle.bound()
    assert (len(heads), len(kept)) == (2, 2)


def test_where_none_is_idle_none_ends() -> None:
    idle = Idle(4)
    idle.kinds = [Queue(), Queue()]
    idle.bound()
    assert not idle.end_one()
