"""What a warm process may become, when one is kept, and what it is believed."""

import json
import os
import random
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from placet_agent import inside, rules
from placet_agent.downloads.bentos import Facts
from placet_agent.process import warm, warming
from placet_agent.process.given import Given
from placet_agent.process.replica import Replica, ReplicaRecord
from placet_agent.process.warm import NotTaken, WarmProcess, fits, nobodys, shape_of

RECORD = ReplicaRecord(
    id="rev_1-01234567",
    revision="rev_1",
    release="rel_1",
    endpoint="end_1",
    bento_digest="sha256:" + "a" * 64,
    runtime_digest="sha256:" + "b" * 64,
    python_version="3.13",
    variables={"COLOR": "red"},
    memory_mb=512,
    nonce=0,
    port=0,
    uid=60610,
    network="own",
    egress=["api.example:443"],
    threads=2,
    capture="{}",
)
HOME = (1, 2)


@pytest.fixture
def pair() -> Iterator[tuple[WarmProcess, socket.socket]]:
    """A warm process as the agent sees it, and what speaks for it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    shape = shape_of(RECORD, Facts())
    assert shape is not None
    child: Any = None
    one = WarmProcess(nobodys(RECORD, shape, 60611), shape, child, ours, HOME)
    with ours, theirs:
        yield one, theirs


def test_its_record_holds_nothing_of_the_replica_that_it_is_made_like() -> None:
    shape = shape_of(RECORD, Facts())
    assert shape is not None
    record = nobodys(RECORD, shape, 60611)
    known = json.dumps(vars(record), default=str)
    for word in ("rev_1", "rel_1", "end_1", RECORD.bento_digest, "COLOR", "api.example"):
        assert word not in known
    assert (record.uid, record.memory_mb, record.capture) == (60611, 512, "")
    assert record.id.startswith("warm-")


@pytest.mark.parametrize(
    "changes",
    [{"port": 3000}, {"network": "host"}, {"variables": {"OMP_NUM_THREADS": "4"}}]
    + [{"variables": {name: "1"}} for name in ("TZ", "KMP_AFFINITY", "TOKENIZERS_PARALLELISM")],
)
def test_some_replicas_only_start_afresh(changes: dict[str, Any]) -> None:
    assert shape_of(replace(RECORD, **changes), Facts()) is None


def test_a_process_becomes_only_what_it_was_started_for(
    pair: tuple[WarmProcess, socket.socket],
) -> None:
    one, _ = pair
    one.ready = True
    assert fits(one, shape_of(RECORD, Facts()), {"COLOR"}, HOME)
    for changes in (
        {"slim": True},
        {"threads": 1},
        {"capture": ""},
        {"python_version": "3.12"},
        {"runtime_digest": "sha256:" + "c" * 64},
    ):
        assert not fits(one, shape_of(replace(RECORD, **changes), Facts()), (), HOME)
    assert not fits(one, shape_of(RECORD, Facts(wipe_memory=True)), (), HOME)
    assert not fits(one, shape_of(RECORD, Facts(generated=True)), (), HOME)
    assert not fits(one, shape_of(RECORD, Facts()), (), (1, 3))
    one.asked = frozenset({"COLOR"})
    assert not fits(one, shape_of(RECORD, Facts()), {"COLOR"}, HOME)
    one.ready = False
    assert not fits(one, shape_of(RECORD, Facts()), (), HOME)


def test_it_is_ready_when_it_says_what_it_looked_up(
    pair: tuple[WarmProcess, socket.socket],
) -> None:
    one, theirs = pair
    one.listen()
    assert not one.ready
    theirs.send(b'{"ready": ["HOME", "COLOR"]}')
    one.listen()
    assert (one.ready, one.asked) == (True, {"HOME", "COLOR"})
    one.listen()
    theirs.send(b'{"ready": []}')
    with pytest.raises(NotTaken):
        one.listen()


@pytest.mark.parametrize(
    "said",
    [b"noise", b"[]", b"{}", b'{"ready": 1}', b"[" * 100_000, b'{"ready": {}}', b"\xff", b""],
)
def test_whatever_else_it_says_ends_it(
    pair: tuple[WarmProcess, socket.socket], said: bytes
) -> None:
    one, theirs = pair
    theirs.send(said) if said else theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(NotTaken):
        one.listen()
    assert not one.ready


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b'{"refused": "it has a module json of its own"}', "module json"),
        (b'{"taken": 1}', "does not answer"),
        (b"noise", "none"),
        (b"", "does not answer"),
    ],
)
def test_one_that_does_not_say_that_it_is_taken_is_not(
    pair: tuple[WarmProcess, socket.socket],
    said: bytes,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm, "TAKE_SECONDS", 0.1)
    one, theirs = pair
    if said:
        theirs.send(said)
    with Path(os.devnull).open("rb") as handed, pytest.raises(NotTaken, match=why):
        one.hand_over(handed.fileno(), {"COLOR": "red"})


def test_it_is_handed_a_socket_and_its_variables_at_once(
    pair: tuple[WarmProcess, socket.socket],
) -> None:
    one, theirs = pair
    theirs.send(b'{"taken": true}')
    most = "\0" * 32_000  # a release has 32 KiB, each of which JSON may write with six
    with Path(os.devnull).open("rb") as handed:
        one.hand_over(handed.fileno(), {"COLOR": most})
        text, handles, _, _ = socket.recv_fds(theirs, inside.MESSAGE_BYTES, 2)
    assert json.loads(text) == {"variables": {"COLOR": most}}
    assert len(handles) == 1
    os.close(handles[0])


@pytest.mark.parametrize(
    ("available", "room", "short"),
    [(3_000, True, False), (2_024, True, False), (2_023, False, False), (499, False, True)],
)
def test_one_is_kept_where_a_tenth_of_the_memory_stays(
    available: int, room: bool, short: bool
) -> None:
    memory = rules.HostMemory(10_000, available)
    assert rules.room_for_warm(memory, 1_024) is room
    assert rules.memory_is_short(memory) is short


def test_where_memory_is_not_known_none_is_prepared() -> None:
    assert not rules.room_for_warm(rules.HostMemory(0, 0), 64)
    seen = warming.host_memory()
    assert 0 < seen.available <= seen.total


def test_the_next_one_has_the_share_of_the_cores_that_a_further_replica_would_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    shape = shape_of(RECORD, Facts())
    assert shape is not None
    wanted = warming.Wanted(shape, RECORD, most=2)

    def beside(**changes: Any) -> Replica:
        return Replica(replace(RECORD, **changes), Path("none"), Path("none"))

    alone = [beside()]
    others = [*alone, beside(endpoint="end_2", revision="rev_2")]
    leaving = [*others, beside(endpoint="end_3", revision="rev_3")]
    leaving[-1].begin_stop()
    assert [wanted.now(some).threads for some in (alone, others, leaving)] == [6, 4, 4]
    assert wanted.now([beside()] * 3).threads == 4


def test_one_that_fails_again_and_again_is_tried_later_and_later() -> None:
    patience, waits = rules.Patience(), []
    for _ in range(12):
        patience.failed(100.0)
        waits.append(patience.not_before - 100.0)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == rules.FAILED_WAIT
    patience.forget()
    assert patience.not_before == 0.0


def test_variables_that_are_looked_up_as_modules_are_imported_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "looks_up.py").write_text(
        "import os\nA = os.environ.get('A_MODE')\nB = 'B_MODE' in os.environ\n"
        "C = os.getenv('C_MODE')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(inside, "SLIM", ("looks_up", "nowhere_to_be_found"))
    assert {"A_MODE", "B_MODE", "C_MODE"} <= inside.asked_for(["slim"])
    assert "looks_up" in sys.modules
    del sys.modules["looks_up"]
    os.environ.get("D_MODE")  # as ever


def test_a_bento_that_a_fresh_start_would_serve_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert inside.unfit(str(tmp_path), {"COLOR": "red"}, {"HOME"}) == ""
    assert inside.unfit(str(tmp_path / "none"), {}, set()) == ""
    assert "COLOR" in inside.unfit(str(tmp_path), {"COLOR": "red"}, {"COLOR"})
    (tmp_path / "src/json").mkdir()
    assert "json" in inside.unfit(str(tmp_path), {}, set())


def test_random_numbers_are_its_own() -> None:
    random.seed(1)
    first = random.random()
    random.seed(1)
    inside.renew_seeds()
    assert random.random() != first


def test_a_bento_is_laid_file_by_file_and_what_was_given_goes_without_it(tmp_path: Path) -> None:
    bento, given = tmp_path / "bento", Given(tmp_path / "given")
    (bento / "src/deep").mkdir(parents=True)
    (bento / "src/deep/model.bin").write_bytes(b"weights")
    given.prepare()
    laid = given.empty_bento("warm-1")
    assert [*laid.iterdir()] == []
    given.lay_bento("warm-1", bento)
    file = laid / "src/deep/model.bin"
    assert file.samefile(bento / "src/deep/model.bin")
    assert given.names() == {"warm-1"}
    given.clear("warm-1")
    assert not laid.exists()
    assert (bento / "src/deep/model.bin").read_bytes() == b"weights"


def test_a_hosts_file_is_written_in_place(tmp_path: Path) -> None:
    given = Given(tmp_path)
    path = given.hosts("warm-1", [])
    before = path.stat().st_ino
    with path.open() as bound:
        from placet_verify.permit.serving import Destination

        given.hosts("warm-1", [Destination("api.example", 443)])
        assert "api.example" in bound.read()
    assert path.stat().st_ino == before
