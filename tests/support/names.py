"""Names that lead where a test says, and addresses that nobody gets through to."""

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from unittest import mock

Address = tuple[str, int]


@dataclass(slots=True)
class Names:
    """What the resolver says of some names; of all others it says what it knows.

    Of those that are ``silent`` it says nothing for 20 s, or until it is ``over``.
    """

    lead: dict[str, Sequence[Address]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    over: Event = field(default_factory=Event)


@contextmanager
def names() -> Iterator[Names]:
    """Have names lead where the test says."""
    told, resolve = Names(), socket.getaddrinfo

    def answer(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        told.asked[host] += 1
        if host in told.silent:
            told.over.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if host in told.lead:
            found = told.lead[host]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]
        return resolve(host, port, *rest, **more)

    try:
        with mock.patch.object(socket, "getaddrinfo", answer):
            yield told
    finally:
        told.over.set()


@contextmanager
def swallowing(count: int) -> Iterator[list[Address]]:
    """Have so many addresses on loopback whose queues are full: who connects gets no answer."""
    with ExitStack() as held:
        yield [_full(held) for _ in range(count)]


def _full(held: ExitStack) -> Address:
    listening = held.enter_context(socket.socket())
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address: Address = listening.getsockname()
    for _ in range(4):
        waiting = held.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(address)
    return address
