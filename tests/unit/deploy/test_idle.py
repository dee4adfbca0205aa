"""Which connection ends where too many hold no thread, and what there is room for."""

import resource
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from placet.web.idle import Idle, Resting, origin
from placet.web.waiting_room import shares


class Queue:
    """Connections of one kind, by name: a client's letter, and when it came."""

    told = False

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.names)

    def most(self) -> tuple[int, float, bytes]:
        since = {name[0]: -int(name[1:]) for name in reversed(self.names)}
        clients = Counter(name[0] for name in self.names)
        counts = ((count, since[one], one.encode()) for one, count in clients.items())
        return max(counts, default=(0, 0, b""))

    def end_oldest_of(self, origin: bytes) -> None:
        self.names.remove(next(name for name in self.names if name[0] == origin.decode()))


class Conn:
    """A connection of a client, as a worker keeps it."""

    def __init__(self, client: bytes) -> None:
        self.origin = client
        self.sock = SimpleNamespace(setblocking=lambda _: None)


def test_two_kinds_have_room_for_one_together_and_the_larger_gives_its_oldest() -> None:
    idle, heads, kept = Idle(4), Queue("a1", "a2", "a3", "a4"), Queue("a5", "a6", "a7")
    idle.kinds = [heads, kept]
    idle.bound()
    assert (heads.names, kept.names) == (["a3", "a4"], ["a6", "a7"])
    idle.bound()
    assert (len(heads), len(kept)) == (2, 2)


def test_who_has_most_of_one_kind_gives_their_own_oldest() -> None:
    idle, heads, kept = Idle(6), Queue("p1", "a1", "a2", "a3", "a4"), Queue("p2", "q1", "r1", "s1")
    idle.kinds = [heads, kept]
    idle.bound()
    assert heads.names == ["p1", "a4"]
    assert kept.names == ["p2", "q1", "r1", "s1"], "there are more of them, but of four clients"


def test_of_many_who_have_one_each_the_oldest_goes_whatever_its_address() -> None:
    idle, heads, kept = Idle(3), Queue("a2", "z4"), Queue("b1", "y3")
    idle.kinds = [heads, kept]
    idle.bound()
    assert (heads.names, kept.names) == (["a2", "z4"], ["y3"])


def test_a_kind_knows_whose_oldest_is_oldest() -> None:
    worker = SimpleNamespace(
        poller=SimpleNamespace(register=lambda *_: None, unregister=lambda _: None)
    )
    resting = Resting(worker, 75)
    conns = [Conn(address) for address in (b"a", b"z", b"b", b"z")]
    for conn in conns:
        resting.add(conn)
    assert resting.most()[::2] == (2, b"z")
    resting.remove(conns[1])
    assert resting.most()[::2] == (1, b"a")
    resting.remove(conns[0])
    assert resting.most()[::2] == (1, b"b")


def test_who_has_most_is_told_where_little_room_is_left() -> None:
    idle, kept = Idle(4), Queue("p1", "a1", "a2")
    idle.kinds = [kept]
    idle.bound()
    assert idle.crowding is None
    kept.names.append("p2")
    kept.names.append("p3")
    idle.bound()
    assert (kept.names, idle.crowding) == (["a1", "a2", "p2", "p3"], b"a")
    del kept.names[2:]
    idle.bound()
    assert idle.crowding is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("192.0.2.1", 1), ("192.0.2.1", 2), True),
        (("192.0.2.1", 1), ("192.0.2.2", 1), False),
        (("::ffff:192.0.2.1", 1, 0, 0), ("192.0.2.1", 1), True),
        (("::ffff:192.0.2.1", 1, 0, 0), ("::ffff:192.0.2.2", 1, 0, 0), False),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::ffff:0:0:2", 1, 0, 0), True),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::2", 1, 0, 0), True),
        ("", b"", True),
    ],
)
def test_whose_an_address_is(one: Any, other: Any, *, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


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
