"""Reports of nodes: as an agent's own writer makes them, and with one thing in them changed."""

import copy
from collections import Counter
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import strategies as st

from placet_agent.observed import Observed
from placet_agent.reports.metrics import WindowTally, _window
from placet_agent.reports.report import Reporter
from placet_agent.state.data_dir import Home
from placet_protocol.bounded import MAX_WHOLE
from placet_protocol.guard import GUARD_RULES
from placet_protocol.report import (
    COHORTS,
    ERROR_CODES,
    ISOLATIONS,
    LATENCY_BOUNDS_MS,
    PHASES,
    EgressCount,
    Generation,
    LocalAbort,
    MetricWindow,
    NodeError,
    ProxyReport,
    RevisionReport,
)
from placet_protocol.report.proxy import PROXY_FAULTS
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey
from placet_verify.units import WHOLE
from tests.properties.acceptance.drawn import JUNK
from tests.support.nodes import PLATFORM

NODE = "nod_1"
KEY = PrivateKey.generate()
DIGEST = "sha256:" + "ab" * 32
Path_ = tuple[Any, ...]

COUNT = st.integers(0, 2**31 - 1)
SEEN = st.integers(0, 10**8)  # of one kind in one window
PRINTED = st.text(max_size=60)  # NUL and halves of pairs among it, as a replica may print them
SAID = st.one_of(PRINTED, st.sampled_from(["", "\x00", "no such column", "é\ud800", "x" * 1900]))
PK = st.from_regex(r"[a-z]{3}_[0-9a-z]{1,30}", fullmatch=True)
TIME = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
EGRESS = st.builds(
    EgressCount,
    to=st.just("db.example.com:5432"),
    connections=COUNT,
    refused=COUNT,
    bytes_in=COUNT,
    bytes_out=COUNT,
)
REVISION = st.builds(
    RevisionReport,
    id=PK,
    phase=st.sampled_from(PHASES),
    ready_replicas=st.integers(0, 64),
    weight=st.integers(0, WHOLE),
    detail=SAID,
    bento_digest=st.sampled_from([DIGEST, ""]),
    since=TIME,
    restarts=COUNT,
    isolation=st.sampled_from(ISOLATIONS),
    egress=st.lists(EGRESS, max_size=2),
)
ERROR = st.builds(NodeError, code=st.sampled_from(sorted(ERROR_CODES)), detail=SAID)
NUMBER = st.integers(0, MAX_WHOLE)  # of a state: ``read_head`` takes any
GENERATION = st.builds(Generation, epoch=NUMBER, number=NUMBER)
ABORT = st.builds(
    LocalAbort,
    endpoint=PK,
    revision=PK,
    stable=PK,
    rule=st.sampled_from(GUARD_RULES),
    detail=SAID.map(lambda text: text[:500]),
    at=TIME,
    state=GENERATION,
)
TALLIES = st.builds(
    WindowTally,
    statuses=st.dictionaries(st.integers(-1, 9), SEEN).map(Counter),
    latency=st.dictionaries(st.sampled_from([*map(str, LATENCY_BOUNDS_MS), "inf"]), SEEN).map(
        Counter
    ),
)


@st.composite
def window(draw: st.DrawFn) -> MetricWindow:
    """Draw a window as the meter closes it: whenever the clock says, and however much later."""
    tally = draw(TALLIES)
    tally.first = draw(st.none() | TALLIES)
    tally.apart = draw(st.dictionaries(st.sampled_from(COHORTS), TALLIES, max_size=2))
    began = draw(st.datetimes(timezones=st.just(UTC)))
    seconds = draw(st.sampled_from([0.0, 0.0004, 10.0, 3600.0]) | st.floats(0, 1e9))
    return _window(draw(PK), tally, began, seconds, draw(SEEN))


PROXY = st.builds(ProxyReport, fault=st.sampled_from(PROXY_FAULTS), since=TIME)
OBSERVED = st.builds(
    Observed,
    revisions=st.lists(REVISION, max_size=3).map(tuple),
    prefetched=st.lists(st.just(DIGEST), max_size=2).map(tuple),
    recalled=st.lists(st.just(DIGEST), max_size=2).map(tuple),
    errors=st.lists(ERROR, max_size=2).map(tuple),
    aborts=st.lists(ABORT, max_size=2).map(tuple),
    receipts=st.lists(st.just("{}"), max_size=2).map(tuple),
    applied=st.tuples(NUMBER, NUMBER),
    proxy=PROXY,
)
WINDOWS = st.lists(window(), max_size=2)


def written(folder: Path, observed: Observed, windows: list[MetricWindow]) -> bytes:
    """Return what an agent reports of this, by its own code, as the platform gets it."""
    nobody = cast(Any, None)
    reporter = Reporter(
        cast(Any, SimpleNamespace(node=NODE)),
        Home(folder),
        KEY,
        lambda: PLATFORM,
        nobody,
        nobody,
        nobody,
    )
    envelope = dsse.Envelope.from_json(reporter.envelope(observed, windows, []))
    return dsse.verify(envelope, [KEY.public], dsse.REPORT)


def places(data: Any, at: Path_ = ()) -> list[Path_]:
    """Return the place of every member and item."""
    found = [at] if at else []
    if isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        found += [place for name, item in items for place in places(item, (*at, name))]
    return found


@st.composite
def changed(draw: st.DrawFn, report: dict[str, Any]) -> tuple[Path_, dict[str, Any]]:
    """Draw a report in which one thing is something else, is missing, or has another name."""
    spoilt = copy.deepcopy(report)
    path = draw(st.sampled_from(places(report)))
    holder: Any = spoilt
    for step in path[:-1]:
        holder = holder[step]
    match draw(st.sampled_from(["junk", "junk", "gone", "named", "many"])):
        case "gone":
            del holder[path[-1]]
        case "named" if isinstance(holder, dict):
            holder[draw(st.sampled_from(["\x00", "\ud800", "x" * 400, "", "5\n", "nan"]))] = 1
            path = path[:-1]
        case "many" if isinstance(holder[path[-1]], list):
            holder[path[-1]] = (holder[path[-1]] or [""]) * 2001
        case _:
            holder[path[-1]] = draw(JUNK)
    return path, spoilt


def pointer(path: Path_) -> str:
    """Return a path as a JSON pointer."""
    return "".join(f"/{step}" for step in path)
