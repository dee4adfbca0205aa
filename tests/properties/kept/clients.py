"""Clients that keep their connection, and write down every answer that is not right."""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import Any

from tests.properties.kept.asked import KINDS, Asked
from tests.properties.kept.drawn import Turn

SECONDS = 30  # no answer comes within a minute's half: none will
IDLE = 2.2  # gunicorn by itself gives up a connection that nobody uses for 2 s
RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: what is not sent yet is thrown away, and said so


class Answers:
    """What comes over one connection: answers behind one another, read by one buffer."""

    def __init__(self, wire: socket.socket) -> None:
        self.reader = wire.makefile("rb")

    def makefile(self, mode: str) -> Any:
        """Give an answer all that comes, and keep the buffer when it has read its own."""
        return SimpleNamespace(
            read=self.reader.read,
            readline=self.reader.readline,
            readinto=self.reader.readinto,
            close=lambda: None,
            flush=lambda: None,
        )


class Client(threading.Thread):
    """One client, which comes by way of ``via`` to ``port``."""

    def __init__(self, via: str, port: int, turns: Iterator[Turn]) -> None:
        super().__init__()
        self.via, self.port, self.turns = via, port, turns
        self.wrong, self.told = list[str](), Counter[tuple[str, ...]]()

    def run(self) -> None:
        """Ask all, over a new connection only where this client ended the one before."""
        turn = next(self.turns, None)
        while turn is not None:
            with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as wire:
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                turn = self.talk(wire, Answers(wire), turn)

    def talk(self, wire: socket.socket, answers: Answers, turn: Turn | None) -> Turn | None:
        """Use one connection until it ends; return what is asked over the next."""
        while turn is not None:
            if turn.pauses:
                self.told["paused", self.via] += 1
                time.sleep(IDLE)
            if turn.leaves:
                self.leave(wire, answers, turn)
                return next(self.turns, None)
            for piece in turn.pieces:
                wire.sendall(piece)
            manner = "behind one another" if len(turn.requests) > 1 else "alone"
            for one in turn.requests:
                self.told[one.kind, self.via, manner] += 1
                if not self.answered(answers, one):
                    return next(self.turns, None)
            turn = next(self.turns, None)
        return None

    def leave(self, wire: socket.socket, answers: Answers, turn: Turn) -> None:
        """Go away in the middle of it."""
        self.told["left", self.via, turn.leaves] += len(turn.requests)
        whole = b"".join(turn.pieces)
        begun = b"POST /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx"
        said = {"in a head": whole + begun[:-5], "in a body": whole + begun}
        with suppress(ConnectionError):  # the server may be the first to go
            wire.sendall(said.get(turn.leaves, whole))
            if turn.leaves == "reset":
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if turn.leaves == "half closed":
                wire.shutdown(socket.SHUT_WR)
                self.hear(answers, turn)

    def hear(self, answers: Answers, turn: Turn) -> None:
        """Whatever comes to a client that sends no more is its own, in order."""
        for one in turn.requests:
            if not self.answered(answers, one, may_end=True):
                return

    def answered(self, answers: Answers, one: Asked, *, may_end: bool = False) -> bool:
        """Read an answer; tell whether the connection goes on."""
        answer = HTTPResponse(answers, method=one.method)  # type: ignore[arg-type]
        try:
            answer.begin()
            body = answer.read()
        except Exception as error:
            if not may_end:
                self.wrong.append(f"{one.kind} {self.via}: {type(error).__name__} {error}")
            return False
        if fault := one.fault(answer.status, answer.headers.get, body):
            self.wrong.append(f"{one.kind} {self.via} {one.id}: {fault}")
        if answer.will_close and not may_end:
            self.wrong.append(f"{one.kind} {self.via}: the server ends the connection")
        return not answer.will_close


def missing(
    told: Counter[tuple[str, ...]], vias: list[str], small: list[str], leaving: tuple[str, ...]
) -> list[tuple[str, ...]]:
    """Return what was never drawn."""
    wanted = [(kind, via, "alone") for kind in KINDS for via in vias]
    wanted += [(kind, via, "behind one another") for kind in small for via in vias]
    wanted += [("left", via, how) for via in vias for how in leaving]
    return [one for one in [*wanted, *(("paused", via) for via in vias)] if not told[one]]
