"""Starts warm processes, and has one be a replica in place of a start."""

import logging
import os
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from placet_agent.downloads.bentos import Facts
from placet_agent.faults import crash_point
from placet_agent.process import limits, procs, sandbox, strays
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import Replica, ReplicaRecord, first_inside, pair
from placet_agent.process.sandbox import Cell
from placet_agent.process.starting import (
    Door,
    Starter,
    check_host,
    destinations,
    own_variables,
    threads,
)
from placet_agent.process.warm import NotTaken, Shape, WarmProcess, shape_of
from placet_agent.reports import capture
from placet_protocol.runtimes import RuntimeRef

log = logging.getLogger(__name__)


class Taker:
    """Knows what a warm process needs around it, by who starts replicas."""

    def __init__(self, starter: Starter) -> None:
        self.starter, self.given = starter, starter.given

    def warm_up(self, record: ReplicaRecord, shape: Shape) -> WarmProcess:
        """Start a warm process, of which ``record`` says the name, user and limits."""
        check_host()
        self.given.prepare()
        groups = limits.limiter().make(record.id, record.memory_mb)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        handed = sandbox.above(theirs.detach())
        info_reader, info_writer = map(sandbox.above, os.pipe())
        try:
            home = self.home_of(shape)
            cell = self._cell(record, shape, groups)
            program = self.starter.program(Door(control=handed, kinds=shape.kinds))
            words = sandbox.command(cell, program, info_fd=info_writer)
            crash_point("agent.before_warm_start")
            child = self.starter.popen(record, words, [info_writer, handed])
        except BaseException:
            ours.close()
            os.close(info_reader)
            raise
        finally:
            os.close(handed)
            os.close(info_writer)
        record.inner, record.outer = pair(first_inside(info_reader)), pair(procs.find(child.pid))
        os.close(info_reader)
        crash_point("agent.after_warm_start")
        return WarmProcess(record, shape, child, ours, home)

    def home_of(self, shape: Shape) -> tuple[int, int]:
        """Return which folder a runtime lies in now: another one once it was installed anew.

        Raises ``OSError`` where it is gone.
        """
        ref = RuntimeRef(shape.runtime_digest, shape.python_version)
        found = self.starter.runtimes.get(ref).folder.stat()
        return found.st_dev, found.st_ino

    def _cell(self, record: ReplicaRecord, shape: Shape, groups: tuple[Path, ...]) -> Cell:
        bento = self.given.empty_bento(record.id)
        cell = self.starter.cell(record, bento, groups, shape.wiped)
        folder = self.given.capture_folder(record.id) if shape.captures else None
        return replace(
            cell,
            writable={capture.INSIDE: folder} if folder else {},
            variables={**threads(record), **cell.variables},
        )

    def take(self, replica: Replica) -> bool:
        """Have a replica be the warm process that it was to take; tell whether it is.

        If not, nothing is left of that and the replica can be started. Raises what a start would
        where its Bento may not start here at all.
        """
        record, warm = replica.record, replica.warm
        replica.warm = None
        if warm is None:
            return False
        facts = self.starter.judge(record)
        try:
            self.starter.with_socket(record, partial(self._take, replica, facts, warm))
        except Exception as error:  # whatever it is: a fresh start hangs on nothing of it
            log.info("replica %s starts afresh: %s", record.id, error)
            self.end(warm)
            record.outer = record.inner = record.relay = None
            record.taken, replica.child = False, None
        return record.taken

    def _take(self, replica: Replica, facts: Facts, warm: WarmProcess, listener: int) -> None:
        record, first = replica.record, warm.record.inner
        if shape_of(record, facts) != warm.shape:
            raise NotTaken("its Bento is not of the kind that it was meant for")
        if first is None or not warm.alive:
            raise NotTaken("it has ended")
        limits.limiter().make(record.id, record.memory_mb)
        self.given.hosts(record.id, destinations(record))
        self.given.lay_bento(record.id, self.starter.bentos.path(record.bento_digest))
        if record.capture:
            folder = self.given.capture_folder(record.id)
            capture.take_folder(self.starter.captured, record, folder)
        self.starter.stand_beside(replica, ProcessRef(*first), listener)
        crash_point("agent.before_replica_take")
        warm.hand_over(listener, own_variables(record))
        record.outer, record.inner = warm.record.outer, first
        record.started_at, record.taken = time.time(), True
        replica.save()
        crash_point("agent.after_replica_take")
        warm.control.close()

    def end(self, warm: WarmProcess) -> None:
        """End a warm process, and remove what stood around it."""
        warm.end()
        strays.end(warm.id)
        limits.limiter().remove_soon(warm.id)
        self.starter.clear(warm.id)
