"""What serves at an endpoint that a newer state cannot say goes on, and what was learned stays."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from placet_agent import loop
from placet_agent.loop import Agent
from placet_agent.observed import Observed
from placet_agent.process import starting
from placet_agent.state import files
from placet_agent.state.data_dir import Home
from placet_protocol.report import NodeError, read_report
from placet_verify import canonical
from placet_verify.signing import dsse
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_faulty_documents import agent, close, handed, refusals
from tests.integration.agent.test_recalls import recalled

__all__ = ["agent"]
BROKEN = {"keys": ["open sesame"]}


def at_start(home: Any) -> tuple[dict[str, str], list[str]]:
    """Start an agent anew over a folder, as far as reading what it stored; return what it refuses
    and the codes of what it tells."""
    again = Agent(home, OPTIONS)
    try:
        again._load_stored()
        return refusals(again), [error["code"] for error in again.reporter._errors]
    finally:
        close(again)


def serving(agent: Agent, platform: Platform) -> dict[str, Any]:
    """Have the agent follow a state with one revision; return its endpoint, and break that."""
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}
    platform.endpoints = [platform.endpoint(good, **BROKEN)]
    return good


def test_what_serves_goes_on_through_states_that_cannot_say_its_endpoint_and_a_restart(
    agent: Agent, platform: Platform
) -> None:
    serving(agent, platform)
    for _ in range(3):
        assert handed(agent, platform) == {"rev_1": ""}
    newest = agent.reconciler.newest
    assert newest is not None
    assert newest.number == platform.number
    assert [error["code"] for error in newest.errors] == ["endpoint_refused"]

    assert at_start(agent.home)[0] == {"rev_1": ""}


def test_what_goes_on_is_recalled_like_everything_else(agent: Agent, platform: Platform) -> None:
    good = serving(agent, platform)
    assert handed(agent, platform) == {"rev_1": ""}

    assert handed(agent, platform, recalled=[good["bento_digest"]]) == {
        "rev_1": "this Bento was recalled"
    }
    _, envelope = recalled(platform, good["bento_digest"])
    assert "it was recalled" in handed(agent, platform, recalls=[envelope])["rev_1"]
    assert "it was recalled" in at_start(agent.home)[0]["rev_1"]


def test_what_goes_on_stops_with_a_state_that_says_to_stop_past_its_time(
    agent: Agent, platform: Platform
) -> None:
    serving(agent, platform)
    platform.valid_for, platform.on_expired = timedelta(seconds=-1), "stop"
    handed(agent, platform)

    reconciler = agent.reconciler
    assert reconciler._taken is not None
    reconciler.state, reconciler.verdicts, _ = reconciler._taken
    (endpoint,) = reconciler.state.endpoints
    assert reconciler.wanted(endpoint.revisions[0]) == "stop"


def test_an_endpoint_that_can_be_read_again_is_what_the_newer_state_says(
    agent: Agent, platform: Platform
) -> None:
    serving(agent, platform)
    handed(agent, platform)
    platform.endpoints = [platform.endpoint()]

    assert handed(agent, platform) == {}
    assert json.loads((agent.home.folder / "kept.json").read_text()) == []
    assert at_start(agent.home)[0] == {}


def test_the_last_entry_is_on_disk_whenever_the_agent_is_cut_short(
    agent: Agent, platform: Platform, monkeypatch: Any
) -> None:
    serving(agent, platform)
    handed(agent, platform)
    write = agent.home.write_text

    def cut(name: str, text: str) -> None:
        raise OSError("the power is gone")

    platform.endpoints = [platform.endpoint()]
    platform.publish()
    monkeypatch.setattr(agent.home, "write_text", cut)
    try:
        agent.accept(platform.envelope)
    except OSError:
        monkeypatch.setattr(agent.home, "write_text", write)
    assert at_start(agent.home)[0] == {"rev_1": ""}, "by the state on disk it still goes on"


@pytest.mark.parametrize("written", range(5), ids="after {} writes".format)
@pytest.mark.parametrize("back", [False, True], ids=["it cannot be said", "it can be again"])
def test_what_goes_on_is_on_disk_after_each_write_of_a_state_that_was_taken(
    agent: Agent, platform: Platform, monkeypatch: Any, back: bool, written: int
) -> None:
    good = serving(agent, platform)
    if back:
        handed(agent, platform)
        platform.endpoints = [platform.endpoint(good)]
    platform.publish()
    write, done = files.write_bytes, list[str]()

    def cut(path: Path, *words: Any, **options: Any) -> None:
        if len(done) == written:
            raise OSError("the power is gone")
        done.append(path.name)
        write(path, *words, **options)

    with monkeypatch.context() as patch, suppress(OSError):
        patch.setattr(files, "write_bytes", cut)
        agent.accept(platform.envelope)
    assert done == ["kept.json", "state.json", "memory.json", "kept.json"][:written]
    assert at_start(agent.home)[0] == {"rev_1": ""}


def test_an_older_state_teaches_signed_recalls_and_nothing_else(
    agent: Agent, platform: Platform
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    _, envelope = recalled(platform, good["bento_digest"])
    platform.checkpoint = platform.note(5)
    platform.publish(recalls=[], recalled=[good["bento_digest"]])
    unsigned = platform.envelope
    platform.publish(recalls=[envelope])
    signed = platform.envelope
    platform.checkpoint = platform.note(9)
    assert handed(agent, platform) == {"rev_1": ""}

    assert not agent.accept(unsigned)
    assert refusals(agent) == {"rev_1": ""}, "the list in an old state counts no more"
    assert not agent.accept(signed)
    assert "it was recalled" in refusals(agent)["rev_1"]
    newest = agent.reconciler.newest
    assert newest is not None
    assert newest.number == platform.number
    codes = {error["code"] for error in agent.reporter._errors}
    assert codes == {"state_refused"}, "the log did not go back"


def test_a_state_for_another_target_stops_nothing_by_its_list(
    agent: Agent, platform: Platform
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}
    assert handed(agent, platform, target="tgt_2", recalled=[good["bento_digest"]]) == {"rev_1": ""}


def test_a_checkpoint_is_learned_of_a_state_that_is_not_taken_and_a_restart_finds_no_other(
    agent: Agent, platform: Platform
) -> None:
    platform.checkpoint = platform.note(5)
    handed(agent, platform)
    platform.checkpoint = platform.note(9)
    handed(agent, platform, endpoints=None)
    assert agent.home.remembered().checkpoint == platform.checkpoint

    assert at_start(agent.home)[1] == [], "the state on disk is from before, the log is not"
    platform.checkpoint = platform.note(7)
    handed(agent, platform, endpoints=None)
    codes = [error["code"] for error in agent.reporter._errors]
    assert "checkpoint_went_back" in codes


def test_what_no_state_key_signed_teaches_nothing(agent: Agent, platform: Platform) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}
    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(platform.keys["build"], recalls=[envelope], recalled=[good["bento_digest"]])

    assert not agent.accept(platform.envelope)
    assert refusals(agent) == {"rev_1": ""}
    assert agent.trust.recalls.book.standing == []


def test_a_state_on_disk_that_cannot_be_read_any_more_teaches_what_it_recalls(
    agent: Agent, platform: Platform
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    _, envelope = recalled(platform, good["bento_digest"])
    assert "recalled" in handed(agent, platform, recalls=[envelope])["rev_1"]
    payload = canonical.loads(dsse.Envelope.from_json(platform.envelope).payload)
    newer = dsse.sign(dsse.STATE, canonical.dumps(payload | {"v": 2}), platform.keys["state"])
    agent.home.write_text("state.json", newer.to_json())
    (agent.home.folder / "recalls.json").unlink()

    again = Agent(agent.home, OPTIONS)
    try:
        again._load_stored()
        assert [one.recall for one in again.trust.recalls.book.standing] == ["rcl_1"]
        assert [e["code"] for e in again.reporter._errors] == ["stored_state_refused"]
    finally:
        close(again)


def test_a_recalled_replica_stops_at_start_though_the_state_on_disk_cannot_be_read(
    platform: Platform, joined: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    joined.start()
    platform.serve(good)
    platform.wait_phase("rev_1", "serving")
    joined.stop()
    platform.down = True
    _, envelope = recalled(platform, good["bento_digest"])
    payload = canonical.loads(dsse.Envelope.from_json(platform.envelope).payload)
    payload |= {"endpoints": None, "recalls": [envelope]}
    newer = dsse.sign(dsse.STATE, canonical.dumps(payload), platform.keys["state"])
    joined.home.write_text("state.json", newer.to_json())

    joined.start()
    platform.wait(lambda: not joined.agent.replicas.all)
    assert joined.agent.reconciler.state is None


def test_a_replica_that_nothing_recalls_goes_on_at_start_without_a_state(
    platform: Platform, joined: NodeUnderTest
) -> None:
    joined.start()
    platform.serve(platform.revision(1, platform.build("good"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    joined.stop()
    platform.down = True
    joined.home.write_text("state.json", "{}")

    joined.start()
    platform.wait(lambda: joined.agent.replicas.all)
    for _ in range(5):
        assert joined.who() == "good"


def test_a_full_disk_keeps_no_recall_from_being_heeded(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}
    platform.checkpoint = platform.note(5)
    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(recalls=[envelope])

    def full(*words: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", full)
        assert agent.accept(platform.envelope)
        agent._store()
        assert "it was recalled" in refusals(agent)["rev_1"]
    codes = {error["code"] for error in agent.reporter._errors}
    assert codes == {"recall_unstored", "checkpoint_unstored", "state_unstored"}
    assert at_start(agent.home)[0] == {"rev_1": ""}, "the disk has the state before"

    agent._store()  # with room again
    assert not agent.trust.behind
    assert Home(agent.home.folder).remembered().checkpoint == platform.checkpoint
    assert len(json.loads((agent.home.folder / "recalls.json").read_text())) == 1
    assert "it was recalled" in at_start(agent.home)[0]["rev_1"]


def test_an_agent_starts_on_a_full_disk_and_goes_on_when_it_cannot_tidy_up(
    platform: Platform, joined: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    joined.start()
    platform.serve(platform.revision(1, platform.build("good"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    joined.stop()
    monkeypatch.setattr(starting.Starter, "prepare", full)
    monkeypatch.setattr(loop.Agent, "_tidy", full)
    monkeypatch.setattr(loop, "TRIM_SECONDS", 0.0)
    joined.start()
    _, envelope = recalled(platform, platform.endpoints[0]["revisions"][0]["bento_digest"])
    platform.publish(recalls=[envelope])
    assert "recalled" in platform.wait_phase("rev_1", "refused")["detail"]


def test_a_report_of_many_faults_is_one_that_the_platform_reads(agent: Agent) -> None:
    faults = [NodeError(code="prefetch_refused", detail=str(number)) for number in range(1000)]
    once = NodeError(code="metrics_gap", detail="told once, and never again")
    text = agent.reporter.envelope(Observed(errors=tuple(faults)), [], [once])
    read = read_report(dsse.Envelope.from_json(text).payload, agent.client.node)
    assert read["errors"][0] == once
    assert faults[0] in read["errors"]
