"""What the platform accepts a node runs and HAProxy serves; what one refuses the other refuses.

Requests for a release are drawn from all that the API lets through, and from just outside of it:
names of project, environment and endpoint, declared variables, the serving configuration, and what
of a plan a node is told (testers' header, copies, guard, weight). ``acceptance.sides`` says what of
either side is real: everything but the database and the rows in it. Whatever is accepted is written
for HAProxy, a hundred endpoints in one table, which HAProxy itself judges; one of 200 is served by
a real agent and a real sandboxed replica (a server of the tests' own in place of BentoML).

What is refused is signed anyway, as a thief of the keys or a fault would, and the node must refuse
it too. Both must say in a sentence which member it is; anything else that is raised fails here.

``make prove`` draws 10,000, CI 300. ``-s`` shows how many of each kind were accepted.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from placet_agent.haproxy import config
from placet_agent.haproxy.checking import Judge
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.table import RoutingTable
from placet_agent.observed import Observed
from placet_protocol.fields import ProtocolError
from placet_protocol.report import MetricWindow, read_report
from placet_verify import canonical
from placet_verify.units import WHOLE
from proofs.record import RESULTS, commit
from tests.integration.agent.conftest import NodeUnderTest, forker, joined, node, platform, runtime
from tests.integration.agent.control import Platform
from tests.properties.acceptance import reports
from tests.properties.acceptance.drawn import KINDS, Asked, asked
from tests.properties.acceptance.running import serve
from tests.properties.acceptance.sides import Place, Seen, platform_says, put, signed_anyway

__all__ = ["forker", "joined", "node", "platform", "runtime"]  # fixtures
PROVING = hypothesis.settings.default.max_examples > 100
EXAMPLES = 10_000 if PROVING else 300
SERVED = EXAMPLES // 200 if PROVING else 2
BATCH = 100
LEAST = 0.2  # of each kind this share is accepted, and as much refused
SETTINGS = config.Settings(port=18080, bind="127.0.0.1")
DRAWN = settings(
    suppress_health_check=list(HealthCheck),
    derandomize=not PROVING,
    database=None if not PROVING else hypothesis.settings.default.database,
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A platform and its node, in memory: thousands of disks are written."""
    memory = "/dev/shm"
    folder = Path(tempfile.mkdtemp(dir=memory if Path(memory).is_dir() else None))
    yield Place(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def counted(request: pytest.FixtureRequest) -> Iterator[dict[str, list[int]]]:
    """What was accepted and refused of each kind; ``make prove`` keeps it."""
    begun, found = datetime.now(UTC), dict[str, list[int]]()
    yield found
    if PROVING and len(found) == len(KINDS) + 3:
        seed, state = request.config.getoption("--hypothesis-seed"), commit()
        path = RESULTS / f"acceptance-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{seed}.json"
        said = {
            name: dict(zip(("accepted", "refused"), pair, strict=True))
            for name, pair in found.items()
        }
        whole = {"begun": begun.isoformat(), "commit": state, "seed": seed, "said": said} | {
            "seconds": round((datetime.now(UTC) - begun).total_seconds())
        }
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


class Batch:
    """Collects what was accepted, until HAProxy is asked about all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.judged = 0
        self.asked: dict[str, Asked] = {}
        self.table = RoutingTable()

    def add(self, one: Asked, seen: Seen) -> None:
        """Put it into the table; a full one is judged."""
        number = len(self.asked)
        put(self.table, number, seen)
        self.asked[f"end_{number}"] = one
        if len(self.asked) == BATCH:
            self.judge()

    def judge(self) -> None:
        """Have HAProxy say who is at fault: nobody."""
        out = Judge(self.folder, find_binary()).left_out(self.table, SETTINGS)
        assert {self.asked[name]: why for name, why in out.items()} == {}
        self.judged += len(self.asked)
        self.asked, self.table = {}, RoutingTable()


def compare(place: Place, one: Asked) -> tuple[bool, Seen | None]:
    """Ask both sides; return what the platform says, and what a node made of what was accepted."""
    said = platform_says(one)
    if said.wish is not None:
        assert place.left_out(said.wish) == []
        seen = place.ask_node(said.wish)
        assert seen.answer.faults == (), f"the platform accepts it: {one}"
        return True, seen
    assert said.faults and all(fault.startswith("/") for fault in said.faults), said
    if not only_people_see(one, said.faults):
        seen = place.ask_node(signed_anyway(one))
        assert not seen.answer.accepted, f"the platform says {said.faults}, the node nothing: {one}"
        assert all(len(fault) > 10 for fault in seen.answer.faults)
    return False, None


def only_people_see(one: Asked, faults: tuple[str, ...]) -> bool:
    """Whether what is wrong never reaches a node, which gets copies in hundredths of a percent."""
    decimals = one.kind == "mirror" and any("two decimals" in fault for fault in faults)
    return decimals and -0.5 <= one.mirror * 100 <= WHOLE + 0.5  # what is rounded to one that is


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_platform_accepts_a_node_and_haproxy_accept_and_the_other_way_round(
    place: Place, tmp_path: Path, kind: str, counted: dict[str, list[int]]
) -> None:
    said: Counter[bool] = Counter()
    batch = Batch(tmp_path)

    @settings(DRAWN, max_examples=-(-EXAMPLES // len(KINDS)))
    @given(one=asked(kind))
    def run(one: Asked) -> None:
        accepted, seen = compare(place, one)
        said[accepted] += 1
        if seen is not None:
            batch.add(one, seen)

    run()
    batch.judge()
    print(f"{kind}: {said[True]} accepted, {said[False]} refused")
    counted[kind] = [said[True], said[False]]
    assert batch.judged == said[True]
    # Twenty draws are too few to hold a share against: what is drawn changes with every constant of
    # the code (hypothesis takes them up). There each answer must have been given.
    least = LEAST * said.total() if PROVING else 1
    assert min(said[True], said[False]) >= least, said


def test_a_real_replica_serves_what_was_accepted_with_its_variables_as_approved(
    platform: Platform, node: NodeUnderTest, counted: dict[str, list[int]]
) -> None:
    served: Counter[str] = Counter()

    @settings(DRAWN, max_examples=SERVED, phases=[Phase.generate])
    @given(one=asked())
    def run(one: Asked) -> None:
        wish = platform_says(one).wish
        assert wish is not None
        serve(platform, node, wish, served.total() + 1)
        served["replicas"] += 1

    run()
    print(f"served by real replicas: {served.total()}")
    counted["served by real replicas"] = [served.total(), 0]
    assert served.total() >= SERVED


def storable(report: object) -> bool:
    """Whether PostgreSQL can hold it: no NUL, no half of a pair."""
    text = json.dumps(report, ensure_ascii=False)
    return "\\u0000" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


@settings(DRAWN, max_examples=EXAMPLES)
@given(observed=reports.OBSERVED, windows=reports.WINDOWS)
def test_what_an_agent_writes_the_platform_reads_as_it_was_meant(
    place: Place,
    counted: dict[str, list[int]],
    observed: Observed,
    windows: list[MetricWindow],
) -> None:
    payload = reports.written(place.folder, observed, windows)
    found = read_report(payload, reports.NODE)
    said = json.loads(payload)
    said["metrics"] = [{"apart": {}, "error": ""} | window for window in said["metrics"]]
    assert dict(found) == said
    assert storable(found)
    counted.setdefault("reports as written", [0, 0])[0] += 1
    told = [*observed.revisions, *observed.errors, *observed.aborts]
    read = [*found["revisions"], *found["errors"], *found["aborts"]]
    for before, after in zip(told, read, strict=True):
        same = [a == b for a, b in zip(before["detail"], after["detail"], strict=True)]
        odd = [b == "\ufffd" for b in after["detail"]]
        assert all(s or o for s, o in zip(same, odd, strict=True))


def test_a_report_with_one_thing_changed_is_read_within_bounds_or_refused_with_a_pointer(
    place: Place, counted: dict[str, list[int]]
) -> None:
    said: Counter[bool] = Counter()

    @settings(DRAWN, max_examples=EXAMPLES)
    @given(observed=reports.OBSERVED, windows=reports.WINDOWS, data=st.data())
    def run(observed: Observed, windows: list[MetricWindow], data: st.DataObject) -> None:
        whole = json.loads(reports.written(place.folder, observed, windows))
        path, report = data.draw(reports.changed(whole))
        raw = json.dumps(report).encode()
        try:
            found = read_report(raw, reports.NODE)
        except ProtocolError as error:
            said[False] += 1
            assert str(error)
            at = reports.pointer(path)
            assert at.startswith(error.pointer) or error.pointer.startswith(at), (at, error.pointer)
            return
        said[True] += 1
        assert storable(found)
        assert read_report(canonical.dumps(found), reports.NODE) == found

    run()
    print(f"reports: {said[True]} read, {said[False]} refused")
    counted["reports with one thing changed"] = [said[True], said[False]]
    assert min(said[True], said[False]) >= LEAST * said.total(), said
