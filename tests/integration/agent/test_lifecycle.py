"""A node through crashes, restarts and a platform that is away."""

import json
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from placet_agent.haproxy.process import MARKER as PROXY_MARKER
from placet_agent.process import procs, replicas
from placet_agent.process.holding import Holder
from placet_agent.process.procs import ProcessRef, find
from placet_agent.process.sandbox import MARKER, WIPED
from placet_agent.state.files import read_json
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load


def records(node: NodeUnderTest) -> list[dict[str, Any]]:
    """Return the records of all replicas on disk, without those that vanish meanwhile."""
    found = [read_json(path) for path in (node.home.folder / "replicas").glob("*.json")]
    return [record for record in found if record is not None]


def haproxy(node: NodeUnderTest) -> ProcessRef:
    """Return the HAProxy that the node recorded."""
    stored = read_json(node.home.folder / "haproxy/process.json")
    return ProcessRef(stored["pid"], stored["start"])


def test_replicas_and_haproxy_outlive_a_killed_agent_and_are_adopted_not_doubled(
    platform: Platform, joined: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000, replicas=2)
    joined.start_process()
    platform.serve(revision)
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    before, proxy = records(joined), haproxy(joined)
    load = Load(joined.port, f"{PATH}/who").start()

    joined.kill_process()
    load.until(200)
    platform.reports.clear()
    joined.start_process()
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    load.until(load.sent + 200)
    load.stop()

    assert load.failures == []
    assert sorted(r["id"] for r in records(joined)) == sorted(r["id"] for r in before)
    assert haproxy(joined) == proxy and proxy.alive
    # and the adopting agent can still do everything with them
    platform.serve({**revision, "weight": 0, "wanted": "stop"})
    platform.wait_phase("rev_1", "stopped")
    assert not any(ProcessRef(*r["inner"]).alive for r in before)
    sockets = joined.home.folder / "haproxy/sockets"
    platform.wait(lambda: not list(sockets.iterdir()))
    assert Holder(joined.home.folder / "holder").names() == set()


def test_a_killed_haproxy_comes_back_with_the_same_state(
    platform: Platform, node: NodeUnderTest
) -> None:
    one = platform.revision(1, platform.build("one"), weight=7_500)
    two = platform.revision(2, platform.build("two"), weight=2_500)
    platform.serve(one, two)
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 2_500)
    before = haproxy(node)

    before.signal(signal.SIGKILL)

    platform.wait(lambda: haproxy(node) != before and haproxy(node).alive)
    names = [node.who() for _ in range(40)]
    assert (names.count("one"), names.count("two")) == (30, 10)
    assert platform.seen("rev_2")["weight"] == 2_500


@pytest.mark.parametrize("before", [False, True], ids=["at first", "again"])
@pytest.mark.parametrize("point", ["agent.after_haproxy_start", "agent.before_rename.process.json"])
def test_a_haproxy_whose_agent_died_before_it_noted_it_is_the_only_one(
    platform: Platform, joined: NodeUnderTest, tmp_path: Path, point: str, before: bool
) -> None:
    """A forgotten one would go on answering every other request by an old table."""
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    if before:  # there is one, on record, and it dies
        joined.start_process()
        platform.wait_phase("rev_1", "serving")
        joined.kill_process()
        haproxy(joined).signal(signal.SIGKILL)
    (tmp_path / point).touch()
    joined.start_process(PLACET_CRASH_FOLDER=str(tmp_path))
    assert joined.processes[-1].wait(timeout=60) == -signal.SIGKILL
    joined.start_process()
    platform.wait_phase("rev_1", "serving")
    platform.serve(platform.revision(2, platform.build("two"), weight=10_000))
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 10_000)
    folder = str((joined.home.folder / "haproxy").resolve())
    platform.wait(lambda: len(procs.with_variable(PROXY_MARKER, folder)) == 1)
    assert {joined.who() for _ in range(40)} == {"two"}


def test_a_haproxy_killed_while_the_agent_was_away_comes_back_too(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    node.stop()
    haproxy(node).signal(signal.SIGKILL)

    node.start()

    platform.wait(lambda: haproxy(node).alive and node.get().status_code == 200)
    assert node.who() == "one"


def test_a_node_serves_on_from_disk_while_the_platform_is_away(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    node.stop()
    platform.down = True
    for record in records(node):
        ProcessRef(*record["inner"]).signal(signal.SIGKILL)

    node.start()

    platform.wait(lambda: node.get().status_code == 200 and node.who() == "one")
    platform.down = False
    count = len(platform.reports)
    platform.wait(lambda: len(platform.reports) > count)
    assert platform.reports[-1]["applied"] == {"epoch": 1, "number": 1}


@pytest.mark.parametrize(("on_expired", "status"), [("serve", 200), ("stop", 503)])
def test_past_its_time_a_state_is_served_or_stopped_as_it_says(
    platform: Platform, node: NodeUnderTest, on_expired: str, status: int
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    # only what serves already: on a busy machine a replica takes longer to start than that
    platform.on_expired, platform.valid_for = on_expired, timedelta(seconds=3)
    platform.publish()
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == platform.number)

    if on_expired == "stop":
        stopped = platform.wait_phase("rev_1", "stopped")
        assert "past its time" in stopped["detail"]
    else:
        time.sleep(3.5)

    assert node.get().status_code == status


def test_an_endpoint_that_was_deleted_is_gone_from_the_node(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    ran = records(node)
    platform.endpoints = []
    platform.publish()
    platform.wait(lambda: ran and not records(node))
    assert not any(ProcessRef(*record["inner"]).alive for record in ran)
    platform.wait(lambda: node.get().status_code == 404)
    assert not list((node.home.folder / "haproxy/sockets").iterdir())


def test_a_replica_that_dies_is_started_again(platform: Platform, node: NodeUnderTest) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000, replicas=2))
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    load = Load(node.port, f"{PATH}/who").start()
    load.until(50)
    victim = records(node)[0]
    # nothing is under way on it, as when it is drained: what it had taken cannot be saved
    admin, server = node.agent.proxy.admin, place(node, victim["id"])
    admin.tell([f"set server {server} state drain"])
    platform.wait(lambda: admin.sessions(server) == 0)

    ProcessRef(*victim["inner"]).signal(signal.SIGKILL)

    platform.wait(lambda: platform.seen("rev_1")["restarts"] == 1)
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    load.stop()
    assert load.failures == []
    assert victim["id"] not in {record["id"] for record in records(node)}


def test_a_replica_that_hangs_is_started_again(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "CHECK_EVERY", 0.1)
    monkeypatch.setattr(replicas, "CHECK_TIMEOUT", 0.3)
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    victim = records(node)[0]
    time.sleep(1)  # several looks: one that answers stays
    assert [record["id"] for record in records(node)] == [victim["id"]]

    for ref in procs.with_variable(MARKER, victim["id"], inside=True):
        ref.signal(signal.SIGSTOP)

    platform.wait(lambda: platform.seen("rev_1")["restarts"] == 1)
    platform.wait_phase("rev_1", "serving")
    assert node.who() == "one"
    assert victim["id"] not in {record["id"] for record in records(node)}


def test_a_replica_that_is_never_ready_is_given_up_and_fails(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "START_SECONDS", 0.5)
    late = {"READY_AFTER": "600"}
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000, variables=late))

    failed = platform.wait_phase("rev_1", "failed")

    assert "it was not ready within" in failed["detail"]
    assert failed["restarts"] == 3


def place(node: NodeUnderTest, replica: str) -> str:
    """Return a replica's place in HAProxy."""
    (found,) = node.agent.proxy.table.server_names(replica)
    return found


def test_a_service_that_crashes_again_and_again_fails_with_the_end_of_its_log(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    bad = platform.revision(2, platform.build("bad"), variables={"CRASH": "1"})
    platform.serve(good, bad)

    failed = platform.wait_phase("rev_2", "failed")

    assert "no such column: age" in failed["detail"]
    assert failed["restarts"] == 3
    assert node.who() == "good"


def test_a_service_that_is_never_ready_gets_no_request(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = platform.revision(1, platform.build("old"), weight=10_000)
    slow = platform.revision(2, platform.build("slow"), variables={"READY_AFTER": "3600"})
    platform.serve(old, slow)
    platform.wait_phase("rev_1", "serving")

    platform.serve({**old, "weight": 0}, {**slow, "weight": 10_000})

    platform.wait(lambda: platform.seen("rev_2")["detail"] == "/readyz answers 503")
    assert {node.who() for _ in range(10)} == {"old"}
    assert platform.seen("rev_2")["phase"] == "starting"


def test_memory_over_the_limit_ends_the_replica_and_says_so(
    platform: Platform, node: NodeUnderTest
) -> None:
    greedy = platform.revision(1, platform.build("greedy"), variables={"EAT_MB": "1500"})
    platform.serve(greedy)

    failed = platform.wait_phase("rev_1", "failed")

    assert "more than 1024 MB of memory" in failed["detail"]


def test_scaling_up_and_down_loses_no_request(platform: Platform, node: NodeUnderTest) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000, max_replicas=3)
    platform.serve(revision)
    platform.wait_phase("rev_1", "serving")
    load = Load(node.port, f"{PATH}/who?ms=2").start()

    platform.serve({**revision, "replicas": 3})
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 3)
    load.until(load.sent + 200)
    platform.serve({**revision, "replicas": 1})
    platform.wait(lambda: len(records(node)) == 1)
    load.until(load.sent + 100)
    load.stop()

    assert load.failures == []
    assert platform.seen("rev_1")["ready_replicas"] == 1


def test_a_restart_replaces_every_replica_and_loses_no_request(
    platform: Platform, node: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000, replicas=2)
    platform.serve(revision)
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    before = {record["id"] for record in records(node)}
    load = Load(node.port, f"{PATH}/who").start()

    platform.serve({**revision, "restart_nonce": 1})
    platform.wait(lambda: not before & {record["id"] for record in records(node)})
    load.until(load.sent + 100)
    load.stop()

    assert load.failures == []
    assert platform.seen("rev_1")["ready_replicas"] == 2


def test_a_restart_that_needs_more_slots_than_there_are_loses_no_request(
    platform: Platform, node: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000, replicas=5)
    platform.serve(revision)
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 5)
    before = {record["id"] for record in records(node)}
    proxy = haproxy(node)
    load = Load(node.port, f"{PATH}/who").start()

    platform.serve({**revision, "restart_nonce": 1})
    platform.wait(lambda: not before & {record["id"] for record in records(node)})
    load.until(load.sent + 100)
    load.stop()

    assert load.failures == []
    assert haproxy(node) != proxy


def test_memory_is_wiped_where_the_build_says_so(platform: Platform, node: NodeUnderTest) -> None:
    facts = {"variables": [], "wipe_memory": True}
    bento = platform.build("one", **{"src/placet.json": json.dumps(facts)})
    platform.serve(platform.revision(1, bento, weight=10_000))
    platform.wait_phase("rev_1", "serving")

    assert node.get("/inside").json()["environment"].items() >= WIPED.items()


def test_a_replica_sees_its_bento_and_nothing_of_the_node(
    platform: Platform, node: NodeUnderTest
) -> None:
    built = platform.build("one")
    first = platform.revision(1, built, weight=10_000, variables={"MODE": "strict"})
    platform.serve(first)  # alone, so that it is the stable one, which answers the first request
    platform.wait_phase("rev_1", "serving")
    platform.serve(
        {**first, "weight": 9_999}, platform.revision(2, platform.build("two"), weight=1)
    )
    platform.wait(lambda: platform.seen("rev_1")["weight"] == 9_999)
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 1)

    seen = node.get("/inside").json()

    assert seen["uid"] == records_of(node, "rev_1")["uid"] != records_of(node, "rev_2")["uid"]
    assert seen["uid"] not in (None, 0, os.getuid())
    assert len(seen["processes"]) <= 3
    assert not seen["can_write_bento"]
    assert seen["environment"]["MODE"] == "strict"
    assert seen["environment"]["PLACET_RELEASE"] == "rel_1"
    assert not {name for name in seen["environment"] if "DATABASE" in name or "KEY" in name}
    assert not seen["environment"].keys() & WIPED.keys()
    for path in ("node.key", "memory.json", "haproxy/keys.map", "haproxy/admin.sock"):
        assert node.get(f"/file?{node.home.folder / path}").json() is False
    mode = (node.home.folder / "haproxy/admin.sock").stat().st_mode & 0o777
    assert (mode, (node.home.folder / "node.key").stat().st_mode & 0o777) == (0o600, 0o600)


def records_of(node: NodeUnderTest, revision: str) -> dict[str, Any]:
    """Return the one record of a revision."""
    return next(record for record in records(node) if record["revision"] == revision)


def test_what_is_to_lie_ready_is_fetched_and_never_started(
    platform: Platform, node: NodeUnderTest
) -> None:
    serving = platform.revision(1, platform.build("one"), weight=10_000)
    waiting = platform.build("next")
    platform.prefetch = [{"bento_digest": waiting, "runtime_digest": platform.runtime}]
    platform.serve(serving)

    platform.wait(lambda: platform.reports and platform.reports[-1]["prefetched"] == [waiting])

    platform.wait_phase("rev_1", "serving")
    assert {record["bento_digest"] for record in records(node)} == {serving["bento_digest"]}


def test_a_node_without_the_right_python_says_so(platform: Platform, node: NodeUnderTest) -> None:
    revision = platform.revision(1, platform.build("one"))
    revision["runtime"] = {**revision["runtime"], "python_version": "3.4"}
    platform.serve(revision)

    failed = platform.wait_phase("rev_1", "failed")

    assert failed["detail"].startswith("no Python 3.4 on this node")


def test_requests_are_counted_per_revision_and_status(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")

    for status, count in ((200, 30), (404, 5), (500, 3)):
        for _ in range(count):
            assert node.get(f"/status/{status}").status_code == status
    node.get("/who?ms=300")

    def windows() -> list[dict[str, Any]]:
        return [w for r in list(platform.reports) for w in r["metrics"]]

    platform.wait(lambda: sum(sum(w["latency"].values()) for w in windows()) >= 39)
    totals = {
        name: sum(w[name] for w in windows()) for name in ("status_2xx", "status_4xx", "status_5xx")
    }
    assert totals == {"status_2xx": 31, "status_4xx": 5, "status_5xx": 3}
    assert {w["revision"] for w in windows()} == {"rev_1"}
    assert sum(w["latency"]["500"] for w in windows()) >= 1
    assert not any("error" in w for w in windows())
    assert "metrics_gap" not in platform.errors()


def test_lost_log_lines_are_reported_as_a_gap(platform: Platform, node: NodeUnderTest) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: node.get().status_code == 200)
    node.agent.meter._logged.subtract({(haproxy(node), "e000r0"): 7})

    platform.wait(lambda: "metrics_gap" in platform.errors())

    told = [e["detail"] for r in platform.reports for e in r["errors"]]
    assert "7 requests of e000r0 were not logged" in told


def test_a_change_is_reported_within_moments(platform: Platform, node: NodeUnderTest) -> None:
    one = platform.revision(1, platform.build("one"), weight=10_000)
    two = platform.revision(2, platform.build("two"))
    platform.serve(one, two)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    times = []
    for first, second in ((0, 10_000), (10_000, 0)) * 3:
        platform.serve({**one, "weight": first}, {**two, "weight": second})
        platform.wait(lambda second=second: platform.seen("rev_2")["weight"] == second)
        times.append(platform.reports[-1]["arrived"] - platform.published_at)

    assert min(times) < 0.5


def test_an_agent_does_not_take_a_stranger_that_got_an_old_pid(node: NodeUnderTest) -> None:
    ours = find(os.getpid())
    assert ours is not None and ours.alive
    assert not ProcessRef(ours.pid, ours.start - 1).alive


def test_a_record_that_was_cut_short_keeps_no_agent_from_starting(
    platform: Platform, joined: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000)
    joined.start_process()
    platform.serve(revision)
    platform.wait_phase("rev_1", "serving")
    record = records(joined)[0]

    joined.kill_process()
    (joined.home.folder / "replicas" / f"{record['id']}.json").write_text('{"id": "rev_1-')
    platform.reports.clear()
    joined.start_process()
    platform.wait_phase("rev_1", "serving")

    assert joined.who() == "one"
    assert not ProcessRef(*record["inner"]).alive
    assert [found["id"] for found in records(joined)] != [record["id"]]
