"""What HAProxy is told, before it is told."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from placet_agent.haproxy import config
from placet_agent.haproxy.admin import AdminError, ServerState
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.proxy import Proxy, coming, leaving
from placet_agent.haproxy.table import REVISIONS, BackendServer, Full, RoutingTable
from placet_agent.haproxy.traffic import json_path
from placet_agent.reports.metrics import WindowTally, parse_line
from placet_protocol.state import HeaderRoute
from placet_verify.permit.limits import Limits
from placet_verify.units import UnitSource

SETTINGS = config.Settings(port=18080, bind="127.0.0.1")


def filled() -> RoutingTable:
    """Return a table with one endpoint at 25%."""
    table = RoutingTable()
    entry = table.ensure_endpoint("end_1", "/risk/staging/score")
    table.ensure_server(entry, "rev_1", "replica-1", 20001)
    table.ensure_server(entry, "rev_2", "replica-2", 20002).drained = True
    entry.stable, entry.candidate, entry.weight = "rev_1", "rev_2", 2_500
    entry.locked, entry.keys = True, ("ab" * 32,)
    return table


def by_unit(source: UnitSource) -> RoutingTable:
    """Return the same table, split by unit."""
    table = filled()
    table.endpoints["end_1"].unit, table.endpoints["end_1"].salt = source, "5a17"
    return table


def beside() -> RoutingTable:
    """Return the same table with a header for testers and copies for the candidate."""
    table = by_unit(UnitSource("json", "/user"))
    entry = table.endpoints["end_1"]
    entry.header, entry.tested = HeaderRoute("X-Try", "v2"), "rev_2"
    entry.copies, entry.mirrored = 1_000, "rev_2"
    table.ensure_server(entry, "rev_2", "replica-3", 20003)
    return table


def limited(**limits: int) -> RoutingTable:
    """Return the same table with limits for the candidate."""
    table = beside()
    table.endpoints["end_1"].limits = {"rev_2": Limits(**limits)}
    return table


ALL_LIMITS = {"request_seconds": 9, "in_flight": 2, "queue": 0, "queue_seconds": 3, "rate": 5}
TABLES = [
    beside(),
    limited(**ALL_LIMITS),
    *(limited(**{name: value}) for name, value in ALL_LIMITS.items() if "queue" not in name),
    filled(),
    *(
        by_unit(UnitSource(*pair))
        for pair in (
            ("header", "X-User"),
            ("cookie", "uid"),
            ("json", "/rows/0/user-id"),
        )
    ),
]


@pytest.mark.parametrize("table", TABLES)
def test_haproxy_accepts_the_configuration(tmp_path: Path, table: RoutingTable) -> None:
    config.write_files(tmp_path)
    (tmp_path / "haproxy.cfg").write_text(config.render(table, SETTINGS))
    for name, entries in config.maps(table).items():
        (tmp_path / name).write_text(config.map_text(entries))
    os.mkfifo(tmp_path / "log.fifo")

    words = [
        "/bin/sh",
        "-c",
        'exec 3<>log.fifo; exec "$0" "$@"',
        find_binary(),
        "-c",
        "-f",
        "haproxy.cfg",
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_the_file_holds_the_present_servers_and_the_maps_the_present_routes() -> None:
    text, maps = config.render(filled(), SETTINGS), config.maps(filled())

    assert "server s0 127.0.0.1:20001\n" in text
    assert "server s0 127.0.0.1:20002 disabled\n" in text
    assert maps["paths.map"] == {"/risk/staging/score": "e000"}
    assert maps["route.map"] == {"e000": "e000r0:e000r1:2500:key:-:nobody:nobody:0"}
    assert maps["keys.map"] == {"e000:" + "ab" * 32: "1"}
    assert maps["revisions.map"] == {"e000r0": "rev_1", "e000r1": "rev_2"}


def test_an_endpoint_without_a_live_revision_routes_to_nobody() -> None:
    table = RoutingTable()
    table.ensure_endpoint("end_1", "/risk/staging/score")

    assert config.maps(table)["route.map"] == {"e000": "nobody:nobody:0:open:-:nobody:nobody:0"}


def test_the_salt_is_in_the_route_and_the_unit_in_what_only_a_reload_changes() -> None:
    table = by_unit(UnitSource("header", "X-User"))
    fixed = config.fixed(config.render(table, SETTINGS))

    assert config.maps(table)["route.map"] == {
        "e000": "e000r0:e000r1:2500:key:5a17:nobody:nobody:0"
    }
    assert "  # rule e000 unit header X-User" in fixed
    table.endpoints["end_1"].weight = 5_000
    assert config.fixed(config.render(table, SETTINGS)) == fixed
    table.endpoints["end_1"].unit = UnitSource("header", "X-Session")
    assert config.fixed(config.render(table, SETTINGS)) != fixed


def test_copies_go_to_replicas_that_take_requests_and_their_share_needs_no_reload() -> None:
    table = beside()
    fixed = config.fixed(config.render(table, SETTINGS))

    assert config.maps(table)["mirror.map"] == {"e000r1": "20003"}  # the other one drains
    assert config.maps(table)["route.map"]["e000"].endswith(":e000r1:e000r1:1000")
    table.endpoints["end_1"].copies = 10_000
    assert config.fixed(config.render(table, SETTINGS)) == fixed
    table.endpoints["end_1"].copies = 0
    assert config.fixed(config.render(table, SETTINGS)) != fixed


def test_limits_stand_in_the_backend_of_their_revision_alone() -> None:
    table = limited(**ALL_LIMITS)
    text = config.render(table, SETTINGS)
    before, _, backend = text.partition("backend e000r1\n")
    own, _, after = backend.partition("\nbackend ")

    for line in ("timeout server 9s", "timeout queue 3s", "maxconn 2", "lua.broken over_time"):
        assert line in own
        assert line not in before + after
    assert config.fixed(text) != config.fixed(config.render(beside(), SETTINGS))
    without = config.render(beside(), SETTINGS)
    assert not any(word in without for word in ("limits ", "rates", "Retry-After", "over_time\n"))


def test_a_json_pointer_is_written_as_haproxy_reads_it() -> None:
    assert json_path("/rows/0/user-id") == "$.rows[0].user-id"


@pytest.mark.parametrize("table", TABLES)
def test_a_table_survives_the_disk(table: RoutingTable) -> None:
    assert RoutingTable.from_json(json.loads(json.dumps(table.to_json()))) == table


def test_a_table_that_an_older_agent_wrote_splits_per_request() -> None:
    stored = filled().to_json()
    for name in ("unit", "salt", "header", "tested", "copies", "mirrored", "left"):
        del stored["endpoints"]["end_1"][name]

    assert RoutingTable.from_json(stored) == filled()


def test_slots_are_used_again_and_the_pool_doubles_when_it_is_full() -> None:
    table = RoutingTable()
    for number in range(table.groups):
        entry = table.ensure_endpoint(f"end_{number}", f"/p/e/{number}")
        table.ensure_revision(entry, f"rev_{number}")
    table.drop_endpoint("end_3")
    entry = table.ensure_endpoint("end_x", "/p/e/x")
    assert entry.number == 3
    assert table.groups == 16
    for number in range(100, 200):  # as many as there may be, while nothing serves behind them
        table.ensure_endpoint(f"end_{number}", f"/p/e/{number}")
    assert table.groups == 16
    table.ensure_revision(table.ensure_endpoint("end_y", "/p/e/y"), "rev_y")
    assert table.groups == 32


def test_more_revisions_than_slots_are_told_in_words() -> None:
    table = RoutingTable()
    entry = table.ensure_endpoint("end_1", "/p/e/n")
    for number in range(REVISIONS):
        table.ensure_revision(entry, f"rev_{number}")
    with pytest.raises(Full, match="already has 6 revisions"):
        table.ensure_revision(entry, "rev_more")


def test_the_backend_that_a_revision_left_last_is_the_last_to_be_given() -> None:
    """A HAProxy that was replaced leads a client's last request to the revision of before."""
    table = RoutingTable()
    entry = table.ensure_endpoint("end_1", "/p/e/n")
    assert [table.ensure_revision(entry, f"rev_{number}") for number in range(3)] == [0, 1, 2]
    table.drop_revision(entry, "rev_1")
    table.drop_revision(entry, "rev_0")
    table = RoutingTable.from_json(json.loads(json.dumps(table.to_json())))  # another agent's
    entry = table.endpoints["end_1"]

    given = []
    for number in range(3, 9):  # each is the only one beside rev_2
        given.append(table.ensure_revision(entry, f"rev_{number}"))
        table.drop_revision(entry, f"rev_{number}")
    assert given == [3, 4, 5, 1, 0, 3]

    table.drop_revision(entry, "rev_2")
    assert table.ensure_revision(entry, "rev_9") == 0  # of a group that nobody had


def test_slots_of_replicas_double_when_a_restart_needs_more() -> None:
    table = RoutingTable()
    entry = table.ensure_endpoint("end_1", "/p/e/n")
    for number in range(9):
        table.ensure_server(entry, "rev_0", f"replica-{number}", 20000 + number)

    assert table.size == (16, 16)
    assert "server s8 127.0.0.1:20008\n" in config.render(table, SETTINGS)


UP = ServerState(up=True, drained=False, maintenance=False)
DRAINED = ServerState(up=False, drained=True, maintenance=False)
OFF = ServerState(up=False, drained=False, maintenance=True)


@pytest.mark.parametrize(
    ("server", "actual", "commands"),
    [
        (BackendServer("r", 20001), UP, []),
        (BackendServer("r", 20001), OFF, ["set server b/s state ready"]),
        (BackendServer("r", 20001), DRAINED, ["set server b/s state ready"]),
        (BackendServer("r", 20001, drained=True), UP, ["set server b/s state drain"]),
        (BackendServer("r", 20001, drained=True), DRAINED, []),
        (None, DRAINED, ["set server b/s state maint"]),
        (None, OFF, []),
    ],
)
def test_only_the_difference_is_told(
    server: BackendServer | None, actual: ServerState, commands: list[str]
) -> None:
    assert [*coming("b/s", server, actual), *leaving("b/s", server, actual)] == commands


def test_a_log_line_is_counted_by_status_and_latency() -> None:
    line = parse_line("m1 4711 e000r0 rev_1 200 37")
    assert line is not None and (line.pid, line.revision, line.milliseconds) == (4711, "rev_1", 37)
    gone = parse_line("m1 4711 e000r0 rev_1 -1 -1")
    assert gone is not None and gone.status == 0
    drawn = parse_line("m2 4711 e000r0 rev_1 200 37 unit 5a17-500 0123456789ABCDEF")
    assert drawn is not None
    assert (drawn.cohort, drawn.split, drawn.mark) == (None, "5a17-500", "0123456789ABCDEF")
    copied = parse_line("m2 0 e000r1 rev_2 504 10004 mirrored - -")
    assert copied is not None and (copied.cohort, copied.status) == ("mirrored", 504)
    without = parse_line("m2 4711 e000r0 rev_1 200 37 no_unit 5a17-500 -")
    assert without is not None and (without.cohort, without.mark) == ("no_unit", "")
    for text in (
        "",
        "[NOTICE] hello",
        "m1 x e000r0 rev_1 200 1",
        "m1 1 e000r0 rev_1 200 1 more",
        "m2 1 e000r0 rev_1 200 1",
        "m2 1 e000r0 rev_1 200 1 unit 5a17",
    ):
        assert parse_line(text) is None

    tally = WindowTally()
    for milliseconds in (0, 5, 6, 37, 20_000):
        tally.add(200, milliseconds)
    assert tally.latency == {"5": 2, "10": 1, "50": 1, "inf": 1}


def test_what_haproxy_answers_by_itself_is_a_problem_too() -> None:
    for name, content in config.error_files().items():
        head, _, body = content.partition(b"\r\n\r\n")
        problem = json.loads(body)
        assert name in (f"error-{problem['status']}.http", f"error-{problem['code']}.http")
        assert b"application/problem+json" in head
        assert f"Content-Length: {len(body)}".encode() in head


def test_who_waits_for_a_replica_that_is_gone_is_ended_though_haproxy_did_not_answer_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(tmp_path / "haproxy", SETTINGS, "haproxy")
    proxy._vacated = {"e000r0/s0": 0.0}
    answers: list[list[str]] = []

    def silent(commands: Iterable[str]) -> str:
        raise AdminError("no answer")

    monkeypatch.setattr(proxy.admin, "tell", silent)
    with pytest.raises(AdminError):
        proxy._end_waiting()
    assert proxy.ending
    monkeypatch.setattr(proxy.admin, "tell", lambda commands: answers.append([*commands]))
    proxy._end_waiting()
    assert answers == [["shutdown sessions server e000r0/s0"]]
    assert not proxy.ending
