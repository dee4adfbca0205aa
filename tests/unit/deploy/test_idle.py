"""Which connection ends where too many hold no thread, and what there is room for."""

import resource

import pytest

from placet.web.idle import Idle
from placet.web.waiting_room import shares


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


@pytest.mark.parametrize(
    ("files", "waiting", "others"),
    [(64, 32, 16), (1024, 512, 256), (2048, 1024, 768), (4096, 2840, 1000), (1 << 20, 10000, 1000)],
)
def test_nodes_that_wait_and_others_have_files_together(
    monkeypatch: pytest.MonkeyPatch, files: int, waiting: int, others: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert shares(1000) == (waiting, others)
    assert waiting + others < files
