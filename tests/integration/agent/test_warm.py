"""A replica takes a process that was warm for its runtime, and starts afresh where it cannot."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placet_agent.downloads import runtimes
from placet_agent.loop import Agent
from placet_agent.process import procs, warm, warming
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import Replica
from placet_agent.process.sandbox import MARKER, WIPED
from placet_agent.state import files
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import WARM
from tests.integration.agent.warm_bento import FILES
from tests.support.processes import until

# What a module of the runtime can find out before anybody has taken its process.
LOOKS = """import json, os
from pathlib import Path
print("SEEN", json.dumps({
    "environment": sorted(os.environ),
    "bento": os.listdir("/bento"),
    "capture": os.access("/capture", os.W_OK | os.X_OK) if os.path.exists("/capture") else None,
    "root": sorted(os.listdir("/")),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "handles": sorted(os.readlink(f"/proc/self/fd/{n}").split(":")[0]
                      for n in os.listdir("/proc/self/fd") if int(n) > 2
                      and os.path.exists(f"/proc/self/fd/{n}")),
    "interfaces": [l.split(":")[0].strip()
                   for l in Path("/proc/net/dev").read_text().splitlines()[2:]],
    "uid": os.getuid(),
    "privileges": [l for l in Path("/proc/self/status").read_text().splitlines()
                   if l.startswith(("CapEff", "CapBnd", "NoNewPrivs", "Seccomp:"))],
}), flush=True)
"""


@pytest.fixture
def warm_node(joined: NodeUnderTest) -> NodeUnderTest:
    """A node whose agent keeps processes warm."""
    joined.start(WARM)
    return joined


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for five seconds here."""
    monkeypatch.setattr(warm, "TAKE_SECONDS", 1.0)


def slim_bento(platform: Platform, name: str) -> str:
    """Return the digest of a Bento that is served without BentoML."""
    return platform.build(name, **FILES)


def slim_revision(platform: Platform, number: int, **changes: Any) -> dict[str, Any]:
    """Return a revision of a Bento of its own."""
    bento = slim_bento(platform, f"bento {number}")
    return platform.revision(number, bento, server="slim", **changes)


def warmed(platform: Platform, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Have a revision serve, and then a process wait for the next one."""
    first = slim_revision(platform, number, weight=10_000, **changes)
    platform.serve(first)
    platform.wait_phase(first["id"], "serving")
    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    return first


def of(agent: Agent, revision: str) -> Replica:
    """Return the one replica of a revision."""
    (replica,) = (r for r in agent.replicas.of(revision) if not r.stopping)
    return replica


def waiting(agent: Agent) -> warm.WarmProcess:
    """Return the one that waits."""
    (one,) = agent.replicas.warming._waiting.values()
    return one


def taken_over(platform: Platform, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Have the second revision serve in place of the first."""
    platform.serve({**first, "weight": 0, "wanted": "stop"}, {**second, "weight": 10_000})
    platform.wait_phase(second["id"], "serving")


def site_of(node: NodeUnderTest) -> Path:
    """Return where the packages of the node's runtime lie."""
    (site,) = (node.home.folder / "runtimes").glob("*/home/lib/python3*/site-packages")
    return site


def install(node: NodeUnderTest, **modules: str) -> None:
    """Have modules be part of the runtime, as if wheels had brought them."""
    site = site_of(node)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
    home = site.parents[2]
    (home.parent / "listing").write_text(runtimes._listing(home))


# --- taken -----------------------------------------------------------------------------------


def test_a_revision_takes_the_process_and_the_next_one_is_prepared(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    one = waiting(warm_node.agent)
    second = slim_revision(
        platform, 2, variables={"COLOR": "red"}, memory_mb=256, egress=["192.0.2.7:443"]
    )
    platform.serve(first, second)
    platform.wait_phase("rev_2", "ready")

    replica = of(warm_node.agent, "rev_2")
    assert (replica.id, replica.record.taken) == (one.id, True)
    assert replica.record.uid == one.record.uid != of(warm_node.agent, "rev_1").record.uid
    assert replica.record.relay and ProcessRef(*replica.record.relay).alive
    assert files.read_json(replica.path)["inner"] == list(one.record.inner or ())
    taken_over(platform, first, second)
    assert warm_node.who() == "bento 2"
    inside = warm_node.get("/inside").json()
    assert {"COLOR": "red", "PLACET_RELEASE": "rel_2", "PLACET_REVISION": "rev_2"}.items() <= (
        inside["environment"].items()
    )
    assert (inside["uid"], inside["can_write_bento"]) == (replica.record.uid or os.getuid(), False)
    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    assert waiting(warm_node.agent).id != one.id


def test_what_it_captures_is_sent_as_its_revisions(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    everything = {"percent": 100, "redact": []}
    first = warmed(platform, capture=everything)
    second = slim_revision(platform, 2, capture=everything)
    taken_over(platform, first, second)
    replica = of(warm_node.agent, "rev_2")
    assert replica.record.taken
    folder = warm_node.home.folder / "capture" / replica.record.captured_as
    assert folder.name.startswith("rev_2-")
    line = folder / f"{'a' * 32}-000001.jsonl"
    line.write_bytes(b'{"id": 1}\n')
    platform.wait(lambda: platform.captured.get(("rev_2", line.name)) == b'{"id": 1}\n')


def test_it_goes_when_nothing_of_its_runtime_is_wanted(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    one = waiting(warm_node.agent)
    assert one.shape.runtime_digest in warm_node.agent.replicas.warming.runtimes
    warm_node.agent._prune()
    assert warm_node.agent.replicas.starter.runtimes.has(platform.runtime)

    platform.serve({**first, "weight": 0, "wanted": "stop"})
    platform.wait(lambda: platform.reports[-1]["warm"] == 0)
    until(lambda: not procs.with_variable(MARKER, one.id))
    until(lambda: warm_node.agent.replicas.warming.runtimes == set())
    for folder in ("given", "logs", "haproxy/sockets"):
        assert [*(warm_node.home.folder / folder).glob(f"{one.id}*")] == []


def test_a_runtime_that_was_installed_anew_is_not_the_one_that_it_holds(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    home = site_of(warm_node).parents[2]
    before = home.rename(home.with_name("before"))
    shutil.copytree(before, home, symlinks=True)
    second = slim_revision(platform, 2)
    taken_over(platform, first, second)
    assert not of(warm_node.agent, "rev_2").record.taken


@pytest.mark.parametrize("variables", [{"OMP_NUM_THREADS": "1"}, {"MODE": "fast"}])
def test_who_sets_what_is_read_as_libraries_are_imported_starts_afresh(
    platform: Platform, joined: NodeUnderTest, variables: dict[str, str]
) -> None:
    install(joined, joblib="import os\nMODE = os.environ.get('MODE')\n")
    joined.start(WARM)
    first = warmed(platform)
    second = slim_revision(platform, 2, variables=variables)
    taken_over(platform, first, second)
    assert not of(joined.agent, "rev_2").record.taken
    assert variables.items() <= joined.get("/inside").json()["environment"].items()


def test_a_bento_with_a_module_that_is_imported_already_starts_afresh(
    platform: Platform, joined: NodeUnderTest
) -> None:
    install(joined, joblib="WHOSE = 'the runtime'\n")
    joined.start(WARM)
    first = warmed(platform)
    own = platform.build("own", **FILES, **{"src/joblib.py": ""})
    second = platform.revision(2, own, server="slim")
    taken_over(platform, first, second)
    replica = of(joined.agent, "rev_2")
    assert (replica.record.taken, replica.id[:5]) == (False, "warm-")
    assert joined.who() == "own"
    assert platform.seen("rev_2")["restarts"] == 0


def test_who_overwrites_memory_takes_one_that_does_so_from_its_start(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    facts = {"src/placet.json": json.dumps({"variables": [], "wipe_memory": True})}
    first, second = (
        platform.revision(
            number, platform.build(f"bento {number}", **FILES, **facts), server="slim"
        )
        for number in (1, 2)
    )
    platform.serve({**first, "weight": 10_000})
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    plain = slim_revision(platform, 3)
    platform.serve({**first, "weight": 10_000}, second)
    platform.wait_phase("rev_2", "ready")
    replica = of(warm_node.agent, "rev_2")
    assert replica.record.taken
    started_with = Path(f"/proc/{replica.refs[0].children()[0].pid}/environ").read_bytes()
    for name, value in WIPED.items():
        assert f"{name}={value}".encode() in started_with.split(b"\0")

    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    platform.serve({**first, "weight": 10_000}, second, plain)
    platform.wait_phase("rev_3", "ready")
    assert not of(warm_node.agent, "rev_3").record.taken


# --- bad days --------------------------------------------------------------------------------


def test_one_that_dies_is_prepared_again_and_harms_nobody(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    one = waiting(warm_node.agent)
    for ref in one.refs:
        ref.signal(signal.SIGKILL)
    second = slim_revision(platform, 2)
    taken_over(platform, first, second)
    assert warm_node.who() == "bento 2"
    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    until(lambda: not procs.with_variable(MARKER, one.id))


def test_one_that_does_not_answer_is_ended_and_the_replica_started_afresh(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    one = waiting(warm_node.agent)
    assert one.record.inner is not None
    inner = ProcessRef(*one.record.inner)
    for ref in inner.children():
        ref.signal(signal.SIGSTOP)
    second = slim_revision(platform, 2)
    taken_over(platform, first, second)
    replica = of(warm_node.agent, "rev_2")
    assert (replica.id, replica.record.taken) == (one.id, False)
    assert not inner.alive
    assert warm_node.who() == "bento 2"


def test_one_that_was_taken_and_dies_is_started_again_as_any_replica(
    platform: Platform, warm_node: NodeUnderTest
) -> None:
    first = warmed(platform)
    second = slim_revision(platform, 2)
    taken_over(platform, first, second)
    replica = of(warm_node.agent, "rev_2")
    assert replica.record.taken
    for ref in replica.refs:
        ref.signal(signal.SIGKILL)
    platform.wait(lambda: platform.seen("rev_2")["restarts"] == 1)
    platform.wait_phase("rev_2", "serving")
    assert warm_node.who() == "bento 2"


@pytest.mark.parametrize(
    "poison",
    ["import os; os._exit(3)", "raise RuntimeError", "while True: pass", "x = bytearray(4 << 30)"],
)
def test_an_import_that_ends_it_is_tried_later_and_later(
    platform: Platform, joined: NodeUnderTest, poison: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "WARM_SECONDS", 0.5)
    install(joined, joblib=poison)
    joined.start(WARM)
    first = slim_revision(platform, 1, weight=10_000)
    platform.serve(first)
    platform.wait_phase("rev_1", "serving")
    kept = joined.agent.replicas.warming
    until(lambda: (p := kept._patience.get(platform.runtime)) is not None and p.failures == 2)
    before, after = time.monotonic(), kept._patience[platform.runtime].not_before
    assert after - before > 1.0  # and twice as long after the next
    assert platform.reports[-1]["warm"] == 0
    second = slim_revision(platform, 2)
    taken_over(platform, first, second)
    assert not of(joined.agent, "rev_2").record.taken


def test_little_memory_keeps_none(
    platform: Platform, warm_node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed(platform)
    short = warming.rules.HostMemory(total=10_000, available=400)
    monkeypatch.setattr(warming, "host_memory", lambda: short)
    platform.wait(lambda: platform.reports[-1]["warm"] == 0)
    assert warm_node.who() == "bento 1"


def test_it_ends_with_its_agent(platform: Platform, warm_node: NodeUnderTest) -> None:
    warmed(platform)
    one = waiting(warm_node.agent)
    warm_node.stop()
    until(lambda: not procs.with_variable(MARKER, one.id))
    assert warm_node.who() == "bento 1"


@pytest.fixture
def armed(tmp_path: Path) -> Iterator[Path]:
    """The folder of crash points."""
    folder = tmp_path / "armed"
    folder.mkdir()
    yield folder


@pytest.mark.parametrize(
    "point",
    [
        "agent.before_warm_start",
        "agent.after_warm_start",
        "agent.before_replica_take",
        "agent.after_replica_take",
    ],
)
def test_an_agent_that_dies_on_the_way_leaves_nothing_that_nobody_knows(
    platform: Platform, joined: NodeUnderTest, armed: Path, point: str
) -> None:
    more = {"PLACET_CRASH_FOLDER": str(armed), "PLACET_TEST_WARM": "1"}
    if "warm_start" in point:
        (armed / point).touch()
    joined.start_process(**more)
    first, second = slim_revision(platform, 1, weight=10_000), slim_revision(platform, 2)
    platform.serve(first)
    if "take" in point:
        platform.wait_phase("rev_1", "serving")
        platform.wait(lambda: platform.reports[-1]["warm"] == 1)
        (armed / point).touch()
        platform.serve({**first, "weight": 0}, {**second, "weight": 10_000})
    assert joined.processes[-1].wait(timeout=60) == -signal.SIGKILL
    begun = marked(joined)

    joined.start_process(**more)
    taken_over(platform, first, second)
    assert joined.who() == "bento 2"
    platform.wait(lambda: platform.reports[-1]["warm"] == 1)
    records = {path.stem for path in (joined.home.folder / "replicas").glob("*.json")}
    adopted = {name for name in begun if name.startswith("warm-")} & records
    assert bool(adopted) == (point == "agent.after_replica_take")
    until(lambda: len(marked(joined) - records) == 1, what="one that waits, and no other,")


def marked(node: NodeUnderTest) -> set[str]:
    """Return the names of what runs for replicas of a node, and for those to be."""
    logs = str((node.home.folder / "logs").resolve())
    found = ((name, procs.output_of(ref)) for ref, name in procs.with_name(MARKER))
    return {name for name, output in found if output == f"{logs}/{name}.log"}


# --- what it sees ----------------------------------------------------------------------------


def test_it_sees_nothing_of_anybody_and_has_no_privilege(
    platform: Platform, joined: NodeUnderTest
) -> None:
    install(joined, joblib=LOOKS)
    joined.start(WARM)
    warmed(platform, capture={"percent": 100, "redact": []}, variables={"COLOR": "red"})
    one = waiting(joined.agent)
    log = (joined.home.folder / "logs" / f"{one.id}.log").read_text()
    seen = json.loads(log.partition("SEEN ")[2].splitlines()[0])

    assert seen["bento"] == []
    assert seen["interfaces"] == ["lo"]
    assert seen["handles"] == ["socket"]
    assert len(seen["processes"]) == 2  # bwrap's, and its own
    names = {name for name in seen["environment"] if name.startswith("PLACET")}
    assert names == {MARKER}
    assert "COLOR" not in seen["environment"]
    assert {"bento", "runtime", "placet", "proc", "tmp"} <= set(seen["root"])
    assert {"var", "run", "sys", "srv", "boot"}.isdisjoint(seen["root"])
    assert {"Seccomp:\t2", "NoNewPrivs:\t1"} <= set(seen["privileges"])
    if os.geteuid() == 0:
        assert seen["capture"] is False
        assert seen["uid"] == one.record.uid
        assert {f"Cap{kind}:\t{0:016x}" for kind in ("Eff", "Bnd")} <= set(seen["privileges"])
