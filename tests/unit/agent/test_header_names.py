"""Whatever somebody names a header, HAProxy reads a name and nothing else."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placet_agent.haproxy import quoting
from placet_agent.haproxy.checking import ConfigurationRefused, Judge
from placet_agent.haproxy.config import maps
from placet_agent.haproxy.names import endpoint_name
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.table import RoutingTable
from placet_protocol.state import HeaderRoute, read_state
from placet_verify.units import UnitSource
from tests.support.gateway import SETTINGS, refused, table_of

HOSTILE = [
    "-f",
    "-m",
    "-u",
    "-i",
    "-M",
    "-n",
    "--",
    "-",
    '"',
    "'",
    "''",
    "\\",
    "\\'",
    "#",
    "# x",
    "{",
    "}",
    "{ }",
    " ",
    "a b",
    "$",
    "$HOME",
    "${HOME}",
    "%",
    "%[src]",
    "%%",
    ";",
    "a;b",
    "(",
    ")",
    ",",
    "a,b)c",
    "[",
    "]",
    "||",
    "or",
    "if",
    "unless",
    "!x",
    "\\n",
    "'\\''",
    "<<",
    "*",
    "x" * 200,
]
CONTROL = ["\n", "a\nb", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\udc80", "x" * 5000]


def beside(number: int = 0) -> RoutingTable:
    """Return a table with as many endpoints, each with a live revision and a candidate."""
    table = RoutingTable()
    for n in range(number):
        entry = table.ensure_endpoint(f"end_{n}", f"/p/e/{n}")
        for revision in (f"rev_{n}a", f"rev_{n}b"):
            table.ensure_server(entry, revision, revision, f"sockets/{revision}/http")
        entry.stable, entry.candidate, entry.weight = f"rev_{n}a", f"rev_{n}b", 100
    return table


def test_any_text_may_be_a_testers_header_or_value() -> None:
    table = beside(2 * len(HOSTILE))
    for number, text in enumerate(HOSTILE):
        table.endpoints[f"end_{2 * number}"].header = HeaderRoute("X-Try", text)
        table.endpoints[f"end_{2 * number + 1}"].header = HeaderRoute(text, "v2")

    assert refused(table) == ""


def test_any_text_may_name_a_unit() -> None:
    table = beside(3 * len(HOSTILE))
    sources = ("header", "cookie", "json")
    for number, text in enumerate(HOSTILE):
        for place, source in enumerate(sources):
            name = f"/{text}" if source == "json" else text
            entry = table.endpoints[f"end_{3 * number + place}"]
            entry.unit, entry.salt = UnitSource(source, name), "5a17"

    assert refused(table) == ""


@pytest.mark.parametrize("text", CONTROL)
def test_what_ends_a_line_is_never_written(text: str) -> None:
    for write in (quoting.word, quoting.patterns, lambda t: quoting.sample("req.fhdr", f"{t} ")):
        with pytest.raises(ValueError, match="cannot be a word"):
            write(text)


@pytest.mark.parametrize("text", CONTROL[:-1])
def test_what_ends_a_line_is_in_no_command_and_no_map(text: str) -> None:
    for write in (
        quoting.command,
        lambda t: quoting.map_line(t, "1"),
        lambda t: quoting.map_line("k", t),
    ):
        with pytest.raises(ValueError, match="cannot be"):
            write(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "v"), ("k", ""), ("a b", "v"), ("#k", "v"), ("k", " v"), ("k", "v "), ("k", "v\nx y")],
)
def test_a_map_holds_one_key_and_its_value_on_a_line(key: str, value: str) -> None:
    with pytest.raises(ValueError, match="HAProxy's maps"):
        quoting.map_line(key, value)


@pytest.mark.parametrize("text", ["a;b", "a b", "a\\", "<<", "a\nshow", "", "é", "$x"])
def test_a_command_is_one_command(text: str) -> None:
    with pytest.raises(ValueError, match="command"):
        quoting.command("show", "map", text)


@pytest.mark.parametrize("text", ["a:b", ":", ""])
def test_a_part_of_a_route_moves_no_other_part(text: str) -> None:
    with pytest.raises(ValueError, match="part of a route"):
        quoting.fields("e000r0", text)


NAMES = st.text("abzAZ09_-", min_size=1, max_size=12) | st.sampled_from(["-f", "-m", "-u", "--"])
PARTS = st.text("abz09-", max_size=12).map(lambda text: f"a{text}")  # of an address
UNITS = st.one_of(
    st.none(),
    st.builds(UnitSource, st.sampled_from(["header", "cookie"]), NAMES),
    st.builds(
        UnitSource,
        st.just("json"),
        st.lists(NAMES, min_size=1, max_size=8).map(lambda steps: "/" + "/".join(steps)),
    ),
)


def revision(name: str, header: object, weight: int, mirror: int, salt: str) -> dict[str, Any]:
    """Return a revision as a state names it."""
    digest = "ab" * 32
    return {
        "id": name,
        "release": name,
        "bento_digest": digest,
        "bento_size": 1,
        "permit": "{}",
        "runtime": {"digest": digest, "python_version": "3.11"},
        "replicas": 1,
        "memory_mb": 64,
        "variables": {},
        "weight": weight,
        "wanted": "run",
        "restart_nonce": 0,
        "salt": salt,
        "header_route": header,
        "mirror": mirror,
    }


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a state that the protocol lets through, with names as odd as it allows."""
    now, endpoints = datetime.now(UTC), []
    for number in range(draw(st.integers(1, 4))):
        slug, environment, name = (f"{draw(PARTS)}{number}" for _ in range(3))
        header = st.none() | st.fixed_dictionaries({"header": NAMES, "value": NAMES})
        revisions = [
            revision(
                f"{draw(NAMES)}-{number}-{n}",
                draw(header),
                draw(st.integers(0, 10_000)),
                draw(st.integers(0, 10_000)),
                draw(NAMES),
            )
            for n in range(draw(st.integers(0, 3)))
        ]
        endpoints.append(
            {
                "id": f"{draw(NAMES)}{number}",
                "project": "p",
                "project_slug": slug,
                "name": name,
                "environment": environment,
                "path": f"/{slug}/{environment}/{name}",
                "api_key_required": draw(st.booleans()),
                "keys": ["cd" * 32],
                "revisions": revisions,
            }
        )
    return {
        "v": 1,
        "target": "t",
        "epoch": 1,
        "number": 1,
        "issued_at": now.isoformat(),
        "valid_until": (now + timedelta(days=1)).isoformat(),
        "on_expired": "serve",
        "recalled": [],
        "endpoints": endpoints,
        "prefetch": [],
    }


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(state=states(), units=st.lists(UNITS, min_size=12, max_size=12))
def test_whatever_the_protocol_lets_through_haproxy_takes(
    state: dict[str, Any], units: list[UnitSource | None]
) -> None:
    read = read_state(json.loads(json.dumps(state)))
    names = [r.id for endpoint in read.endpoints for r in endpoint.revisions]
    assert names == [r["id"] for e in state["endpoints"] for r in e["revisions"]]  # none refused

    assert refused(table_of(read, dict(zip(names, units, strict=False)))) == ""


def test_an_endpoint_that_cannot_be_written_is_left_out_without_asking_haproxy(
    tmp_path: Path,
) -> None:
    table, judge = beside(3), Judge(tmp_path, find_binary())
    table.endpoints["end_0"].header = HeaderRoute("X-Try", "a\nb")
    table.endpoints["end_1"].path = "/p/e 1/x"

    out = judge.left_out(table, SETTINGS)

    assert set(out) == {"end_0", "end_1"}
    assert judge.checks == 1  # of the rest
    told = table.without(out)
    assert [e.path for e in told.endpoints.values()] == ["/p/e/0", "/p/e/2"]
    assert told.endpoints["end_0"].route() == "nobody:nobody:0:open:-:nobody:nobody:0"


def test_who_had_an_address_before_does_not_get_it_back_by_being_left_out() -> None:
    table = RoutingTable()
    for number in (1, 2):
        table.ensure_revision(table.ensure_endpoint(f"end_{number}", "/p/e/n"), f"rev_{number}")
    whole = maps(table)["paths.map"]
    assert whole == maps(table.without(["end_1"]))["paths.map"] == {"/p/e/n": endpoint_name(1)}


def crashing(path: Path) -> Path:
    """Make a HAProxy that crashes of a word, as 2.8 does of ``-u`` before a ``}``."""
    path.write_text(
        f'#!/bin/sh\ngrep -q crash haproxy.cfg && kill -SEGV $$\nexec {find_binary()} "$@"'
    )
    path.chmod(0o755)
    return path


def test_few_questions_find_who_is_at_fault_and_the_answer_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoting, "patterns", lambda *values: " ".join(values))  # as it was once
    table, judge = beside(40), Judge(tmp_path, str(crashing(tmp_path / "haproxy")))
    for number, entry in enumerate(table.endpoints.values()):
        entry.header = HeaderRoute("X-Try", {7: "-f", 31: "crash"}.get(number, "v2"))

    out = judge.left_out(table, SETTINGS)

    assert set(out) == {"end_7", "end_31"}
    assert "pattern file" in out["end_7"]
    assert out["end_31"] == "HAProxy crashed of it (SIGSEGV)"
    assert judge.checks < 30
    asked = judge.checks
    table.endpoints["end_3"].weight = 7
    assert set(judge.left_out(table, SETTINGS)) == {"end_7", "end_31"}
    assert judge.checks == asked
    table.endpoints["end_7"].header = None
    assert set(judge.left_out(table, SETTINGS)) == {"end_31"}


def test_what_no_endpoint_is_to_blame_for_is_refused_as_a_whole(tmp_path: Path) -> None:
    table, judge = beside(2), Judge(tmp_path, find_binary())
    table.endpoints["end_0"].header = HeaderRoute("X-Try", "v2")

    with pytest.raises(ConfigurationRefused, match="bind"):
        judge.left_out(table, replace(SETTINGS, bind="no such address!"))
    assert list(tmp_path.iterdir()) == []
