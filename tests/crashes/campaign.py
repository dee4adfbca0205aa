"""A platform that serves many runs: armed, struck, walked along, and looked at after each."""

import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from apps.operations.demo.people import DemoPerson
from apps.operations.demo.story import SCIENTIST, DemoStory
from placet.embedded.processes import GIVE_UP_AFTER
from placet_agent.process.procs import with_variable
from placet_client import Client
from tests.crashes import errands, points, strikes
from tests.crashes.gradual import Steering
from tests.crashes.path import PATIENCE, Trained, Walk, train
from tests.support.installation import Running, running, signed_in

ENDED = " ended and is started again"  # what the supervisor says
GIVEN_UP_WITHIN = 60.0  # as many deaths as GIVE_UP_AFTER
STRIKE_WITHIN = 12.0  # seconds after the start of a run
SCOPES = [*SCIENTIST, "model.edit", "alias.set", "build.cancel", "release.withdraw"]
# What one version must have come to, whatever died on its way.
ONE_OF_EACH = """
SELECT (SELECT count(*) FROM registry_modelversion WHERE tags ->> 'run' = %s) AS versions,
  (SELECT count(*) FROM builds_build WHERE version_id = v.id AND state = 'succeeded') AS builds,
  (SELECT count(*) FROM builds_bento WHERE version_id = v.id) AS bentos,
  (SELECT count(*) FROM governance_release r JOIN governance_environment e
     ON e.id = r.environment_id AND e.name = 'staging' WHERE r.version_id = v.id) AS releases,
  (SELECT count(*) FROM serving_revision s JOIN builds_bento b ON s.bento_id = b.digest
     WHERE b.version_id = v.id) AS revisions,
  (SELECT count(*) FROM rollouts_rollout o JOIN governance_release r ON o.release_id = r.id
     WHERE r.version_id = v.id AND o.kind = 'release' AND o.state = 'done'
       AND o.commanded = o.generation) AS rollouts,
  (SELECT count(*) FROM serving_revision WHERE state = 'live' AND weight = 10000) AS live
FROM registry_modelversion v WHERE v.tags ->> 'run' = %s LIMIT 1
"""
OPEN = """
SELECT kind || ' is ' || state || ' ' || error AS what FROM jobs_job j
  WHERE state IN ('queued', 'running')
    AND NOT EXISTS (SELECT 1 FROM jobs_schedule s WHERE s.kind = j.kind)
UNION ALL SELECT 'rollout ' || id || ' is ' || state FROM rollouts_rollout
  WHERE finished_at IS NULL
UNION ALL SELECT kind || ' is overdue' FROM jobs_job
  WHERE state = 'queued' AND due_at < clock_timestamp() - interval '60 s'
"""
FAILED = "SELECT kind || ' failed: ' || error AS what FROM jobs_job WHERE state = 'failed'"
LEFT = """
SELECT id FROM serving_revision WHERE state IN ('stopped', 'failed') ORDER BY number DESC LIMIT 2
"""
DEAD_LEASES = """
SELECT id, queue, generation, split_part(lease_owner, ':', 2)::int AS pid
  FROM jobs_job WHERE state = 'running'
"""
EXPIRE = "UPDATE jobs_job SET lease_until = clock_timestamp() WHERE id = %s AND state = 'running'"


@dataclass
class Outcome:
    """What a run came to."""

    seconds: float
    hit: list[str]
    missed: list[str]
    strike: str = ""
    steps: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    log_checked: bool = False


@dataclass
class Campaign:
    """A running platform, with everything that the runs need."""

    placet: Running
    armed: Path
    people: dict[str, DemoPerson]
    scientist: Client
    trained: Trained
    patient: bool = False  # the first lease in each queue of a dead worker runs out by itself
    live: int | None = None
    runs: int = 0
    first: dict[str, str] = field(default_factory=dict)  # dead lease of each queue
    deaths: list[tuple[float, str]] = field(default_factory=list)  # seen when, and of which child

    def run(self, wanted: Sequence[str], *, strike: str = "", seed: int = 0) -> Outcome:
        """Walk the path once with the ``wanted`` points armed: a node's from the request on.

        Where one lies on the way of a release that goes out step by step, this one does.
        """
        self.runs += 1
        self._let_the_supervisor_forget(may_end(wanted, strike))
        begun, chance = time.monotonic(), random.Random(seed)
        outcome = Outcome(0, [], [], strike)
        with self._meanwhile(strike, chance.uniform(0, STRIKE_WITHIN)):
            try:
                walk = Walk(self.placet, self.people, self.scientist, self.trained, str(self.runs))
                outcome.steps = walk.seconds
                self._walk(walk, wanted, chance.choice(sorted(errands.ALL)))
                outcome.faults += self.unsettled(walk.name)
            except Exception as error:
                outcome.faults.append(f"{type(error).__name__}: {error}")
        outcome.missed = self._disarm()
        outcome.hit = sorted(set(wanted) - set(outcome.missed))
        outcome.seconds = round(time.monotonic() - begun, 1)
        return outcome

    def _note_deaths(self, over: threading.Event) -> None:
        """Read what the supervisor says of its children, as soon as it says it."""
        ended = False
        while not ended:
            ended = over.wait(0.5)
            lines = self.placet.output.read_text().splitlines()
            names = [line.removesuffix(ENDED) for line in lines if line.endswith(ENDED)]
            self.deaths += [(time.monotonic(), name) for name in names[len(self.deaths) :]]

    def _let_the_supervisor_forget(self, to_come: Counter[str]) -> None:
        """Wait until each child can die as often as is ``to_come``, and once more by mischance.

        Beyond that the supervisor gives it up.
        """
        while True:
            since = time.monotonic() - GIVEN_UP_WITHIN
            died = Counter(name for at, name in self.deaths if at > since)
            if all((died + to_come)[name] + 1 < GIVE_UP_AFTER for name in to_come):
                return
            time.sleep(0.5)

    def _walk(self, walk: Walk, wanted: Sequence[str], errand: str) -> None:
        self._arm(point for point in wanted if point not in points.LATE)
        walk.timed("register", walk.register)
        named = {errands.of_point(point, errand) for point in wanted}
        for name in sorted(named | {errand}):
            walk.timed(name, partial(errands.run, name, walk))
        walk.timed("build", walk.build)
        self._arm(point for point in wanted if point in points.LATE)
        gradual = self.live is not None and not points.GRADUAL.isdisjoint(wanted)
        walk.timed("go live", Steering(walk).go_live if gradual else walk.go_live)
        walk.predict(walk.version["number"], "the prediction")
        if self.live is None:
            self.live = walk.version["number"]
            return
        walk.timed("go back", walk.go_back)
        walk.predict(self.live, "the earlier answers")

    @contextmanager
    def _meanwhile(self, strike: str, after: float) -> Iterator[None]:
        over = threading.Event()
        threads = [
            threading.Thread(target=watch, args=(over,))
            for watch in (self._let_dead_leases_run_out, self._note_deaths)
        ]
        if strike:
            threads.append(threading.Timer(after, strikes.strike, (self.placet, strike)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _arm(self, wanted: Iterable[str]) -> None:
        for point in wanted:
            (self.armed / point).touch()

    def _disarm(self) -> list[str]:
        left = sorted(path.name for path in self.armed.iterdir())
        for name in left:
            (self.armed / name).unlink(missing_ok=True)
        return left

    def _let_dead_leases_run_out(self, over: threading.Event) -> None:
        """Spare the runs the third of a minute after which a dead worker's job is free anyway."""
        while not over.wait(0.5):
            with suppress(Exception):  # the database may be dead at this moment
                for row in self.placet.sql(DEAD_LEASES):
                    if not Path(f"/proc/{row['pid']}").exists() and not self._waits_for(row):
                        self.placet.sql(EXPIRE, row["id"])

    def _waits_for(self, row: Mapping[str, Any]) -> bool:
        """Tell whether this dead lease is to run out by itself."""
        lease = f"{row['id']} {row['generation']}"
        return self.patient and self.first.setdefault(row["queue"], lease) == lease

    def unsettled(self, run: str) -> list[str]:
        """Wait until nothing is under way; return what is not as it must be."""
        end = time.monotonic() + PATIENCE
        while True:
            faults = self._faults(run)
            if not faults or time.monotonic() > end:
                return faults
            time.sleep(0.2)

    def _faults(self, run: str) -> list[str]:
        try:
            found = self.placet.sql(ONE_OF_EACH, run, run)
            rows = [*self.placet.sql(OPEN), *self.placet.sql(FAILED)]
            live = self.placet.sql("SELECT id FROM serving_revision WHERE state = 'live'")
            left = self.placet.sql(LEFT)
        except Exception as error:
            return [f"the database: {error}"]
        counts = found[0] if found else {"versions": 0}
        node = self.placet.data / "node"
        folder = (node / "haproxy").resolve()
        counts["HAProxies"] = len(with_variable("PLACET_HAPROXY", str(folder)))
        for revision in live:
            counts["replicas"] = len(replicas_of(node, revision["id"]))
        faults = [f"{name}: {n}, not 1" for name, n in counts.items() if n != 1]
        faults += [row["what"] for row in rows]
        return faults + [f"{row['id']} still runs" for row in left if replicas_of(node, row["id"])]

    def whole(self) -> list[str]:
        """Verify the whole log, and rebuild every row from it; return what is wrong."""
        said = self.placet.manage("audit", "verify", "--deep")
        faults = [] if said.returncode == 0 else [said.stdout + said.stderr]
        rebuilt = self.placet.rebuilt()
        return faults + ([] if rebuilt.returncode == 0 else [rebuilt.stderr[-2000:]])


def may_end(wanted: Iterable[str], strike: str) -> Counter[str]:
    """Return how often a run with these points and this strike ends each child of the
    supervisor."""
    found = Counter(
        child for point in wanted for child, ending in points.OF_CHILD.items() if point in ending
    )
    if strike in strikes.OF_CHILD:
        found[strikes.OF_CHILD[strike]] += 1
    return found


def replicas_of(node: Path, revision: str) -> set[str]:
    """Return the replicas of a revision that have a process, whoever remembers them.

    One that took a warm process was started with no revision: the node's record says whose it is.
    """
    found = set()
    for ref in with_variable("PLACET_REVISION", revision, inside=True):
        with suppress(OSError):
            words = Path(f"/proc/{ref.pid}/environ").read_bytes().split(b"\0")
            found |= {word.decode() for word in words if word.startswith(b"PLACET_REPLICA=")}
    for path in (node / "replicas").glob("*.json"):
        with suppress(OSError, ValueError):
            record = json.loads(path.read_text())
            if record["revision"] == revision and with_variable("PLACET_REPLICA", path.stem):
                found.add(f"PLACET_REPLICA={path.stem}")
    return found


@contextmanager
def campaign(
    folder: Path, *, patient: bool = False, runtimes: Path | None = None
) -> Iterator[Campaign]:
    """Start a platform in ``folder`` whose points can be armed; it makes its own ``runtimes``."""
    armed = folder / "armed"
    armed.mkdir()
    trained = train()
    with (
        running(
            folder / "data", armed={"PLACET_CRASH_FOLDER": str(armed)}, runtimes=runtimes
        ) as placet,
        signed_in(placet) as people,
        people["contributor"].client(SCOPES) as scientist,
    ):
        DemoStory(placet.url, people, lambda line: None).policies()
        yield Campaign(placet, armed, people, scientist, trained, patient)


@contextmanager
def temporary() -> Iterator[Campaign]:
    """Start one in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="placet-crash-") as name,
        campaign(Path(name)) as found,
    ):
        yield found
