"""Which revisions may sleep, where their requests wait meanwhile, and what wakes them.

A revision sleeps when its scaling says that it needs no replica. Its socket is opened before the
last one stops, so that HAProxy always leads somewhere; the first request makes it readable. The
replica that is started then takes that very socket with all who wait there. While it starts, or
where it died before it answered, requests wait as well: as long and as many as the release says.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from placet_agent.observed import Errors
from placet_agent.process.doors import Doors
from placet_agent.process.holding import HolderError
from placet_agent.scaling import Scaler
from placet_protocol.state import DesiredRevision

WAIT_SECONDS = 30  # for a replica, where the release does not say


@dataclass(frozen=True)
class Sleeper:
    """One revision, as sleeping needs it."""

    revision: str
    may: bool  # it was approved with no replica at all, is live, permitted and wanted to run
    answers: bool  # a replica takes requests
    starting: Collection[str]  # its replicas that are not to stop
    prepared: bool
    failed: bool  # its replicas ended again and again, and it is tried seldom
    seconds: int = WAIT_SECONDS  # that a request may wait for a replica


class Sleepers:
    """Keeps the sockets of all revisions of this node that may sleep."""

    def __init__(self, doors: Doors, scaler: Scaler, errors: Errors) -> None:
        self.doors, self._scaler, self._errors = doors, scaler, errors

    def waits(self, revision: str) -> bool:
        """Tell whether requests for a revision wait for a replica at a socket."""
        return self.doors.of(revision) is not None

    def is_called(self, revision: DesiredRevision) -> bool:
        """Tell whether somebody came for what sleeps."""
        return not self._scaler.is_awake(revision.id) and revision.id in self.doors.knocked()

    def keep(self, sleepers: Iterable[Sleeper]) -> None:
        """Open and close their sockets as they need; those of nobody else stay open."""
        known = set[str]()
        try:
            self.doors.stand()
        except (HolderError, OSError) as error:
            self._errors.tell("holder", error)
        for sleeper in sleepers:
            known.add(sleeper.revision)
            try:
                self._keep(sleeper)
            except (HolderError, OSError) as error:
                self._errors.tell("holder", error)
        for revision in self.doors.revisions() - known:
            self.doors.close(revision)

    def _keep(self, sleeper: Sleeper) -> None:
        awake = sleeper.answers and self._scaler.is_awake(sleeper.revision)
        if not sleeper.may or awake or sleeper.failed:
            self.doors.close(sleeper.revision)
            return
        door = self.doors.of(sleeper.revision)
        if door is not None and door.taken and door.name not in sleeper.starting:
            self.doors.let_go(door.name)
        if sleeper.prepared:
            self.doors.open(sleeper.revision)
        self.doors.part(sleeper.revision, sleeper.seconds)
