"""A fault in one part of a state stops no other: each revision, endpoint and recall by itself."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_protocol.fields import ProtocolError
from placet_protocol.report import FEATURES
from placet_protocol.state import DesiredState, read_heard, read_state
from placet_verify import canonical

DIGEST = "sha256:" + "ab" * 32
RECALL = {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}
Path = tuple[Any, ...]


def revision(number: int) -> dict[str, Any]:
    """Return a revision as a platform writes it, every member of it."""
    return {
        "id": f"rev_{number}",
        "release": f"rel_{number}",
        "bento_digest": DIGEST,
        "bento_sha256": "ab" * 32,
        "bento_size": 10,
        "runtime": {"digest": DIGEST, "python_version": "3.13"},
        "permit": "{}",
        "serving": {"egress": []},
        "replicas": 1,
        "memory_mb": 512,
        "variables": {"MODE": "x"},
        "weight": 10_000,
        "wanted": "run",
        "restart_nonce": 0,
        "salt": None,
        "header_route": None,
        "mirror": 0,
        "guard": {"consecutive_failures": 3},
        "needs": ["guard", "apart"],
    }


def endpoint(name: str, *revisions: dict[str, Any]) -> dict[str, Any]:
    """Return an endpoint as a platform writes it."""
    return {
        "id": f"end_{name}",
        "project": "prj_1",
        "project_slug": "risk",
        "environment": "staging",
        "name": name,
        "path": f"/risk/staging/{name}",
        "keys": ["cd" * 32],
        "api_key_required": True,
        "stable": None,
        "revisions": list(revisions),
    }


def state() -> dict[str, Any]:
    """Return a whole state: two endpoints, two revisions at each."""
    return {
        "v": 1,
        "target": "tgt_1",
        "epoch": 1,
        "number": 7,
        "issued_at": "2026-11-25T12:00:00Z",
        "valid_until": "2026-11-26T12:00:00Z",
        "checkpoint": "a note",
        "on_expired": "serve",
        "recalled": [DIGEST],
        "recalls": [RECALL],
        "endpoints": [
            endpoint("a", revision(1), revision(2)),
            endpoint("b", revision(3), revision(4)),
        ],
        "prefetch": [{"bento_digest": DIGEST, "runtime_digest": DIGEST}],
    }


def spoilt(path: Path, value: Any) -> dict[str, Any]:
    """Return a state with another value in one place."""
    broken = copy.deepcopy(state())
    parent: Any = broken
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return broken


def read(desired: DesiredState) -> dict[str, list[str]]:
    """Return the ids of the revisions that can be read, by endpoint."""
    return {e.id: [r.id for r in e.revisions] for e in desired.endpoints}


WHOLE = {"end_a": ["rev_1", "rev_2"], "end_b": ["rev_3", "rev_4"]}


def test_a_whole_state_is_read() -> None:
    desired = read_state(state())

    assert desired.generation == (1, 7)
    assert read(desired) == WHOLE
    assert desired.endpoints[0].revisions[0].variables == {"MODE": "x"}
    assert desired.recalled == {DIGEST}
    assert desired.recalls == (canonical.dumps(RECALL).decode(),)
    assert (desired.checkpoint, desired.refused, desired.errors) == ("a note", (), ())


FAULTS_OF_A_REVISION: list[tuple[str, Any]] = [
    ("id", "rev/1"),
    ("id", None),
    ("release", ""),
    ("bento_digest", "ab"),
    ("bento_size", -1),
    ("bento_sha256", "cd" * 32),
    ("bento_sha256", 7),
    ("runtime", "3.13"),
    ("permit", None),
    ("replicas", 1000),
    ("replicas", True),
    ("memory_mb", 15),
    ("memory_mb", "512"),
    ("weight", 10_001),
    ("weight", 0.5),
    ("wanted", "maybe"),
    ("restart_nonce", -1),
    ("variables", {"MODE\n": "x"}),
    ("variables", {"A B": "x"}),
    ("variables", {"": "x"}),
    ("variables", {"É": "x"}),
    ("variables", {"A": 7}),
    ("variables", {"A": "x\0y"}),
    ("variables", []),
    ("header_route", {"header": "X-Try", "value": "a b"}),
    ("header_route", {"header": "X-Try"}),
    ("header_route", "X-Try"),
    ("header_route", {"header": "Cookie", "value": "v2"}),
    ("header_route", {"header": "X-Try", "value": "v" * 65}),
    ("guard", {"consecutive_failures": 1}),
    ("guard", {"consecutive_failures": 1001}),
    ("guard", {"error_rate": None}),
    ("guard", {"latency": None}),
    ("mirror", 10_001),
    ("memory_mb", (1 << 20) + 1),
    ("guard", {"moon_phase": 1}),
    ("guard", []),
    ("guard", {"error_rate": {"at_most": 2}}),
    ("guard", {"latency": None, "error_rate": 1}),
    ("salt", "a b"),
    ("needs", ["dreams"]),
    ("needs", "guard"),
    ("needs", [1]),
]


@pytest.mark.parametrize(("name", "value"), FAULTS_OF_A_REVISION)
def test_a_fault_inside_a_revision_refuses_that_revision_alone(name: str, value: Any) -> None:
    desired = read_state(spoilt(("endpoints", 0, "revisions", 0, name), value))

    assert read(desired) == {**WHOLE, "end_a": ["rev_2"]}
    (refused,) = desired.refused
    assert (refused.id, refused.endpoint) == ("" if name == "id" else "rev_1", "end_a")
    assert refused.bento_digest == ("" if name == "bento_digest" else DIGEST)
    assert refused.reason
    codes = [error["code"] for error in desired.errors]
    assert codes == (["revision_refused"] if name == "id" else [])


@pytest.mark.parametrize("what", [None, 7, "rev_1", [], ["rev_1"], {}])
def test_what_is_no_revision_at_all_is_named_as_an_error(what: Any) -> None:
    desired = read_state(spoilt(("endpoints", 0, "revisions", 0), what))

    assert read(desired) == {**WHOLE, "end_a": ["rev_2"]}
    assert [error["code"] for error in desired.errors] == ["revision_refused"]
    assert "end_a" in desired.errors[0]["detail"]


def test_a_revision_may_need_only_what_this_agent_knows() -> None:
    desired = read_state(spoilt(("endpoints", 0, "revisions", 0, "needs"), list(FEATURES)))
    assert read(desired) == WHOLE
    desired = read_state(spoilt(("endpoints", 0, "revisions", 0, "needs"), ["unit", "dreams"]))
    assert "it needs 'dreams'" in desired.refused[0].reason
    desired = read_state(spoilt(("endpoints", 0, "revisions", 0, "colour"), "blue"))
    assert read(desired) == WHOLE, "a member that is only not known is passed over"


FAULTS_OF_AN_ENDPOINT: list[tuple[str, Any]] = [
    ("name", "A_b"),
    ("project_slug", "-a"),
    ("environment", "a" * 41),
    ("name", "a" * 61),
    ("path", "/risk/production/a"),
    ("name", "a\nbackend evil"),
    ("keys", ["open sesame"]),
    ("keys", None),
    ("api_key_required", "yes"),
    ("revisions", {}),
    ("project", ""),
    ("environment", None),
    ("stable", "../rev"),
]


@pytest.mark.parametrize(("name", "value"), FAULTS_OF_AN_ENDPOINT)
def test_a_fault_of_an_endpoint_leaves_it_out_and_names_it(name: str, value: Any) -> None:
    desired = read_state(spoilt(("endpoints", 0, name), value))

    assert read(desired) == {"end_b": WHOLE["end_b"]}
    (error,) = desired.errors
    assert error["code"] == "endpoint_refused"
    assert "end_a" in error["detail"]


@pytest.mark.parametrize("what", [None, 7, "end_a", [], {}])
def test_what_is_no_endpoint_at_all_is_left_out(what: Any) -> None:
    desired = read_state(spoilt(("endpoints", 0), what))

    assert read(desired) == {"end_b": WHOLE["end_b"]}
    assert [one.id for one in desired.left_out] == [""]


def test_endpoints_and_paths_that_stand_twice_are_left_out_and_no_others() -> None:
    again, elsewhere = state(), state()
    again["endpoints"].append(endpoint("a"))
    again["endpoints"].append({**endpoint("c"), "id": "end_c"})
    elsewhere["endpoints"].append({**endpoint("a"), "id": "end_other"})

    desired = read_state(again)
    assert read(desired) == {"end_b": WHOLE["end_b"], "end_c": []}
    assert [one.id for one in desired.left_out] == ["end_a"]
    desired = read_state(elsewhere)
    assert read(desired) == {"end_b": WHOLE["end_b"]}
    assert [one.id for one in desired.left_out] == ["end_a", "end_other"]


def test_an_endpoint_that_stands_twice_and_once_malformed_is_left_out() -> None:
    again = state()
    again["endpoints"].append({**endpoint("a"), "keys": "none"})

    desired = read_state(again)
    assert read(desired) == {"end_b": WHOLE["end_b"]}


def test_revisions_that_stand_twice_are_refused_and_no_others() -> None:
    again = state()
    again["endpoints"][1]["revisions"].append(revision(1))

    desired = read_state(again)
    assert read(desired) == {"end_a": ["rev_2"], "end_b": WHOLE["end_b"]}
    assert [(one.id, one.endpoint) for one in desired.refused] == [
        ("rev_1", "end_a"),
        ("rev_1", "end_b"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2),
        ("epoch", -1),
        ("number", True),
        ("target", "../../etc"),
        ("endpoints", {}),
        ("issued_at", "yesterday"),
        ("valid_until", "2026-11-26T12:00:00"),
        ("prefetch", None),
        ("valid_until", "0001-01-01T00:00:00+23:59"),
        ("on_expired", "whatever"),
    ],
)
def test_a_state_whose_frame_cannot_be_read_is_refused_and_still_tells_what_is_recalled(
    name: str, value: Any
) -> None:
    broken = spoilt((name,), value)

    with pytest.raises(ProtocolError):
        read_state(broken)
    heard = read_heard(broken)
    assert (heard.recalled, heard.checkpoint, heard.errors) == ({DIGEST}, "a note", ())
    assert len(heard.recalls) == 1


@pytest.mark.parametrize("bad", [None, 7, "x", [], [RECALL], {"a": "\ud800"}])
def test_one_malformed_recall_among_good_ones_stops_none_of_the_others(bad: Any) -> None:
    broken = {**state(), "recalls": [RECALL, bad, RECALL], "recalled": ["ab", DIGEST, bad]}

    heard = read_heard(broken)
    assert (len(heard.recalls), heard.recalled) == (2, {DIGEST})
    assert {error["code"] for error in heard.errors} == {"recall_refused"}
    assert len(heard.errors) == 3


def test_an_older_platform_sends_no_recalls() -> None:
    older = state()
    del older["recalls"]

    assert read_heard(older).errors == ()
    assert read_heard({"recalls": 7}).errors
    assert read_heard(None).recalled == frozenset()


def test_a_bento_that_cannot_lie_ready_stops_no_other() -> None:
    desired = read_state({**state(), "prefetch": [7, {"bento_digest": "x"}, *state()["prefetch"]]})

    assert len(desired.prefetch) == 1
    assert [error["code"] for error in desired.errors] == ["prefetch_refused"] * 2


# --- what goes on -------------------------------------------------------------------------------


def test_an_endpoint_that_is_left_out_goes_on_by_its_last_entry_that_could_be_read() -> None:
    before = read_state(state())
    broken = read_state({**spoilt(("endpoints", 0, "keys"), 7), "number": 8})

    after = broken.going_on(before.endpoints)

    assert read(after) == WHOLE
    assert [e.id for e in after.kept] == ["end_a"]
    assert after.generation == (1, 8)
    assert after.errors == broken.errors
    again = read_state({**spoilt(("endpoints", 0, "keys"), 7), "number": 9})
    assert read(again.going_on(after.endpoints)) == WHOLE, "and so on, from state to state"


def test_an_endpoint_that_the_state_no_longer_names_does_not_go_on() -> None:
    before = read_state(state())
    gone = read_state({**state(), "endpoints": state()["endpoints"][1:]})

    assert read(gone.going_on(before.endpoints)) == {"end_b": WHOLE["end_b"]}


def test_an_entry_without_a_name_may_be_any_endpoint() -> None:
    before = read_state(state())
    broken = read_state(spoilt(("endpoints", 0), None))

    assert read(broken.going_on(before.endpoints)) == WHOLE


def test_what_was_given_to_somebody_else_does_not_go_on() -> None:
    before, taken = read_state(state()), spoilt(("endpoints", 0, "keys"), 7)
    taken["endpoints"].append({**endpoint("a"), "id": "end_new"})
    moved = spoilt(("endpoints", 0, "keys"), 7)
    moved["endpoints"][1]["revisions"].append(revision(2))

    assert "end_a" not in read(read_state(taken).going_on(before.endpoints))
    assert read(read_state(moved).going_on(before.endpoints))["end_a"] == ["rev_1"]


# --- any mutation -------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["rev_1", "rev_9", DIGEST, "run", "MODE\n", "-f", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value: Any, here: Path = ()) -> list[Path]:
    """Return every place of a document."""
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [here, *(path for name, inner in items for path in paths(inner, (*here, name)))]


def mutated(draw: Callable[[Any], Any], whole: dict[str, Any], at: Path) -> dict[str, Any]:
    """Return a state in which something at or below ``at`` is another, is gone, or is new."""
    broken = copy.deepcopy(whole)
    parent: Any = broken
    for step in at[:-1]:
        parent = parent[step]
    path = draw(st.sampled_from(paths(parent[at[-1]])))
    node, last = parent, at[-1]
    for step in path:
        node, last = node[last], step
    how = draw(st.sampled_from(["other", "gone", "new"]))
    if how == "gone" and isinstance(node, dict):
        del node[last]
    elif how == "new" and isinstance(node[last], dict):
        node[last][draw(st.text(max_size=12))] = draw(JSON)
    else:
        node[last] = draw(JSON)
    return broken


@given(st.data())
def test_whatever_stands_in_one_revision_every_other_is_read_the_same(data: st.DataObject) -> None:
    whole = state()
    broken = mutated(data.draw, whole, ("endpoints", 0, "revisions", 0))
    desired, good = read_state(broken), read_state(whole)

    others = {r.id: r for e in good.endpoints for r in e.revisions if r.id != "rev_1"}
    twins = {"rev_2", "rev_3", "rev_4"} & {one.id for one in desired.refused}
    assert all(pk == _id(broken) for pk in twins), "only one of the same id is refused with it"
    seen = {r.id: r for e in desired.endpoints for r in e.revisions}
    for pk in others.keys() - twins:
        assert seen[pk] == others[pk]
    assert (desired.recalls, desired.recalled, desired.checkpoint) == (
        good.recalls,
        good.recalled,
        good.checkpoint,
    )
    assert len(desired.left_out) == 0


def _id(broken: dict[str, Any]) -> Any:
    first = broken["endpoints"][0]["revisions"][0]
    return first.get("id") if isinstance(first, dict) else None


@given(st.data())
def test_whatever_stands_in_the_endpoints_recalls_are_learned(data: st.DataObject) -> None:
    whole = state()
    name = data.draw(st.sampled_from(["endpoints", "prefetch", "issued_at", "on_expired", "v"]))
    broken = mutated(data.draw, whole, (name,))

    assert read_heard(broken) == read_heard(whole)
    with contextlib.suppress(ProtocolError):  # and nothing else is ever raised
        read_state(broken)


@given(JSON)
def test_whatever_a_state_is_reading_it_raises_nothing_else(data: Any) -> None:
    read_heard(data)
    with pytest.raises(ProtocolError):
        read_state(data)
