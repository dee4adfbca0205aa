"""What a node never serves, whoever tells it to."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from placet_agent.state.data_dir import Home
from placet_agent.state.joining import JoinFailed, join
from placet_verify.signing.keys import PrivateKey
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.permits import SERVING


def test_a_bento_without_an_approval_is_refused_and_the_others_go_on(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("approved"), weight=10_000)
    bento = platform.build("unapproved")
    case = platform.case(bento, "rel_2")
    lonely = replace(case, decisions=case.decisions[:1]).document(platform.keys["decision"])

    platform.serve(good, platform.revision(2, bento, permit=lonely, weight=0))

    refused = platform.wait_phase("rev_2", "refused")
    assert "approval" in refused["detail"]
    platform.wait_phase("rev_1", "serving")
    assert node.who() == "approved"
    assert f"/agent/v1/blobs/{bento.removeprefix('sha256:')}" not in platform.served


def test_the_weight_of_a_refused_bento_goes_to_nobody_new(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("approved"), weight=10_000)
    platform.serve(good)
    platform.wait_phase("rev_1", "serving")
    forged = platform.revision(2, platform.build("unapproved"), permit="{}", weight=10_000)

    platform.serve({**good, "weight": 0}, forged)

    platform.wait_phase("rev_2", "refused")
    assert node.who() == "approved"


def _other_bento(platform: Platform) -> dict[str, Any]:
    """A permit for one Bento, put beside another."""
    approved = platform.case(platform.build("approved"), "rel_1")
    permit = approved.document(platform.keys["decision"])
    return platform.revision(1, platform.build("swapped"), permit=permit)


def _signed_by_the_worker(platform: Platform) -> dict[str, Any]:
    """A permit whose decisions the build worker made up."""
    bento = platform.build("forged")
    permit = platform.case(bento, "rel_1").document(platform.keys["build"])
    return platform.revision(1, bento, permit=permit)


def _signed_by_a_stranger(platform: Platform) -> dict[str, Any]:
    bento = platform.build("forged")
    permit = platform.case(bento, "rel_1").document(PrivateKey.generate())
    return platform.revision(1, bento, permit=permit)


def _other_variables(platform: Platform) -> dict[str, Any]:
    """Approved without variables, started with one."""
    revision = platform.revision(1, platform.build("approved"))
    return {**revision, "variables": {"LD_PRELOAD": "/tmp/evil.so"}}


def _steering_variables(platform: Platform) -> dict[str, Any]:
    """Approved by everybody who must, and no node takes it."""
    paths = {"PATH": "/runtime/bin:/usr/bin:/bin"}
    return platform.revision(1, platform.build("approved"), variables=paths)


def _more_memory(platform: Platform) -> dict[str, Any]:
    return {**platform.revision(1, platform.build("approved")), "memory_mb": 4096}


def _approved_as(platform: Platform, serving: dict[str, Any], **state: Any) -> dict[str, Any]:
    """A permit for this serving configuration, and what a state makes of it."""
    bento = platform.build("approved")
    permit = platform.case(bento, "rel_1", serving=serving).document(platform.keys["decision"])
    return platform.revision(1, bento, permit=permit, **state)


def _more_memory_than_is_meant(platform: Platform) -> dict[str, Any]:
    """What says no limit is meant with the usual one, and not with any."""
    return _approved_as(platform, {"variables": {}, "egress": []}, memory_mb=4096)


def _more_replicas(platform: Platform) -> dict[str, Any]:
    return {**platform.revision(1, platform.build("approved")), "replicas": 2}


def _more_replicas_than_the_most(platform: Platform) -> dict[str, Any]:
    serving = {**SERVING, "replicas": 2, "max_replicas": 3}
    return _approved_as(platform, serving, replicas=4)


def _most_replicas_in_words(platform: Platform) -> dict[str, Any]:
    """Of what was approved under earlier rules no number was judged."""
    return _approved_as(platform, {"max_replicas": "64", "variables": {}}, replicas=2)


def _rejected(platform: Platform) -> dict[str, Any]:
    """One of the people said no."""
    bento = platform.build("rejected")
    case = platform.case(bento, "rel_1").decided_again(verdict="reject")
    return platform.revision(1, bento, permit=case.document(platform.keys["decision"]))


def _held(platform: Platform) -> dict[str, Any]:
    """One of the people asked for changes."""
    bento = platform.build("held")
    case = platform.case(bento, "rel_1").decided_again(verdict="request_changes")
    return platform.revision(1, bento, permit=case.document(platform.keys["decision"]))


@pytest.mark.parametrize(
    "made",
    [
        _other_bento,
        _signed_by_the_worker,
        _signed_by_a_stranger,
        _other_variables,
        _steering_variables,
        _more_memory,
        _more_memory_than_is_meant,
        _more_replicas,
        _more_replicas_than_the_most,
        _most_replicas_in_words,
        _rejected,
        _held,
    ],
)
def test_a_permit_that_does_not_fit_is_refused(
    platform: Platform, node: NodeUnderTest, made: Callable[[Platform], dict[str, Any]]
) -> None:
    platform.serve({**made(platform), "weight": 10_000})

    refused = platform.wait_phase("rev_1", "refused")

    assert refused["detail"] and refused["ready_replicas"] == 0
    assert node.get().status_code == 503
    assert not node.agent.replicas.all


@pytest.mark.parametrize(
    ("serving", "replicas", "memory_mb"),
    [
        ({**SERVING, "replicas": 1, "max_replicas": 2}, 2, 1024),
        ({**SERVING, "replicas": 2, "max_replicas": 4}, 1, 1024),
        # Approved under earlier rules, and with nothing that could be left out.
        ({"replicas": 1, "max_replicas": 2, "memory_mb": 512, "variables": {}}, 2, 512),
        ({"replicas": 2, "memory_mb": 1024, "variables": {}}, 2, 1024),
        ({}, 1, 1024),
    ],
)
def test_an_operator_may_scale_up_to_what_was_approved(
    platform: Platform,
    node: NodeUnderTest,
    serving: dict[str, Any],
    replicas: int,
    memory_mb: int,
) -> None:
    wanted = {"replicas": replicas, "memory_mb": memory_mb, "weight": 10_000}
    platform.serve(_approved_as(platform, serving, **wanted))

    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == replicas)
    assert node.who() == "approved"


@pytest.mark.parametrize("purpose", ["decision", "build", "log", "root", "stranger"])
def test_a_state_signed_by_any_other_key_is_not_taken(
    platform: Platform, node: NodeUnderTest, purpose: str
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    others = {**platform.keys, "root": platform.root, "stranger": PrivateKey.generate()}

    platform.endpoints = []
    platform.publish(others[purpose])

    platform.wait(lambda: "state_refused" in platform.errors())
    assert node.who() == "one"
    assert platform.reports[-1]["applied"] == {"epoch": 1, "number": 1}


def test_a_lower_generation_is_refused_even_after_a_restart(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.epoch, platform.number = 2, 40
    platform.serve(platform.revision(1, platform.build("new"), weight=10_000))
    platform.wait_phase("rev_1", "serving")

    platform.epoch, platform.number = 1, 900
    platform.endpoints = []
    platform.publish()
    platform.wait(lambda: "state_refused" in platform.errors())
    assert node.who() == "new"

    node.stop()
    platform.reports.clear()
    node.start()
    platform.wait(lambda: "state_refused" in platform.errors())
    assert node.who() == "new"
    assert node.home.remembered().epoch == 2


def test_a_recalled_bento_is_stopped_and_confirmed(platform: Platform, node: NodeUnderTest) -> None:
    bento = platform.build("recalled")
    revision = platform.revision(1, bento, weight=10_000)
    platform.serve(revision)
    platform.wait_phase("rev_1", "serving")
    replica = next(iter(node.agent.replicas.all.values()))

    platform.recalled = [bento]
    platform.publish()

    platform.wait_phase("rev_1", "refused")
    platform.wait(lambda: platform.reports[-1]["recalled"] == [bento])
    assert node.get().status_code == 503
    assert not replica.alive


def _passkeys_demanded(platform: Platform) -> None:
    platform.ring = platform.ring.pin(["production"])


def _key_was_lost(platform: Platform) -> None:
    key_id, long_ago = platform.keys["decision"].id, datetime.now(UTC) - timedelta(days=1)
    platform.ring = platform.ring.revoke(key_id, long_ago)


@pytest.mark.parametrize(
    ("change", "why"), [(_passkeys_demanded, "passkey"), (_key_was_lost, "was not valid")]
)
def test_what_serves_is_judged_by_a_newer_list_of_keys_without_a_newer_state(
    platform: Platform, node: NodeUnderTest, change: Callable[[Platform], None], why: str
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    replica = next(iter(node.agent.replicas.all.values()))

    change(platform)

    refused = platform.wait_phase("rev_1", "refused")
    assert why in refused["detail"]
    assert platform.reports[-1]["applied"] == {"epoch": 1, "number": 1}
    platform.wait(lambda: not replica.alive)
    assert node.get().status_code == 503


def test_an_older_list_of_keys_is_told_of_and_not_taken(
    platform: Platform, node: NodeUnderTest
) -> None:
    before = platform.ring
    _passkeys_demanded(platform)
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "refused")

    platform.ring = before

    platform.wait(lambda: "keys_refused" in platform.errors())
    assert platform.seen("rev_1")["phase"] == "refused"


def test_an_expired_approval_starts_nothing_but_stops_nothing(
    platform: Platform, node: NodeUnderTest
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=4)
    one, two = platform.build("one"), platform.build("two")
    key = platform.keys["decision"]
    first = platform.case(one, "rel_1", not_after=soon).document(key)
    late = platform.case(two, "rel_2", not_after=datetime.now(UTC) - timedelta(seconds=1))
    late = replace(
        late,
        decisions=[replace(d, at=datetime.now(UTC) - timedelta(minutes=2)) for d in late.decisions],
    )
    serving = platform.revision(1, one, permit=first, weight=10_000)
    platform.serve(serving)
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: datetime.now(UTC) > soon)

    platform.serve(
        {**serving, "restart_nonce": 1}, platform.revision(2, two, permit=late.document(key))
    )

    refused = platform.wait_phase("rev_2", "refused")
    assert "until" in refused["detail"]
    platform.wait(
        lambda: (
            [r.record.nonce for r in node.agent.replicas.all.values()] == [1]
            and platform.seen("rev_1")["phase"] == "serving"
        )
    )
    assert node.who() == "one"


def test_a_policy_that_was_replaced_lets_nothing_new_in(
    platform: Platform, node: NodeUnderTest
) -> None:
    def under(number: int, revision: int, bento: str) -> dict[str, Any]:
        case = platform.case(bento, f"rel_{revision}", policy_number=number)
        case = replace(
            case,
            policy=replace(case.policy, number=number),
            decisions=[
                replace(d, request_digest=case.request.digest, policy_number=number)
                for d in case.decisions
            ],
        )
        permit = case.document(platform.keys["decision"])
        return platform.revision(revision, bento, permit=permit)

    newer = under(5, 1, platform.build("newer"))
    platform.serve({**newer, "weight": 10_000})
    platform.wait_phase("rev_1", "serving")

    platform.serve({**newer, "weight": 10_000}, under(4, 2, platform.build("older")))

    assert "policy 4 was replaced" in platform.wait_phase("rev_2", "refused")["detail"]


def test_a_rotated_key_is_learnt_from_the_root(platform: Platform, node: NodeUnderTest) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    new = PrivateKey.generate()
    platform.ring = platform.ring.add("state", new.public, datetime.now(UTC))
    platform.keys["state"] = new

    platform.serve(platform.revision(2, platform.build("two"), weight=10_000))

    platform.wait_phase("rev_2", "serving")
    assert node.home.remembered().keys_number == platform.ring.number
    assert "state_refused" not in platform.errors()


def test_a_lost_key_signs_no_state_however_old_it_says_the_state_is(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    lost, new = platform.keys["state"], PrivateKey.generate()
    now = datetime.now(UTC)
    platform.ring = platform.ring.add("state", new.public, now).revoke(lost.id, now)
    platform.keys["state"] = new
    platform.publish()
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == 2)

    platform.endpoints = []
    before = (now - timedelta(hours=1)).isoformat(timespec="microseconds")
    platform.publish(lost, issued_at=before.replace("+00:00", "Z"))

    platform.wait(lambda: "state_refused" in platform.errors())
    assert node.who() == "one"


def test_a_list_of_keys_by_another_root_is_not_believed(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    thief, key = PrivateKey.generate(), PrivateKey.generate()
    platform.root = thief
    platform.ring = replace(platform.ring, root=thief.public).add(
        "state", key.public, datetime.now(UTC)
    )

    platform.endpoints = []
    platform.publish(key)

    platform.wait(lambda: "state_refused" in platform.errors())
    assert node.who() == "one"


def test_a_log_that_shrank_is_noticed(platform: Platform, node: NodeUnderTest) -> None:
    platform.checkpoint = platform.note(100)
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    kept = platform.checkpoint

    platform.checkpoint = platform.note(60)
    platform.publish()

    platform.wait(lambda: "checkpoint_went_back" in platform.errors())
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == 2)
    assert platform.reports[-1]["checkpoint"] == kept
    platform.checkpoint = platform.note(100, leaf=b"rewritten")
    platform.publish()
    platform.wait(lambda: "checkpoint_differs" in platform.errors())


def test_other_wheels_than_the_bento_was_built_with_are_refused(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one", lock="numpy==2.0\n")))

    failed = platform.wait_phase("rev_1", "failed")

    assert "not the one that the Bento was built with" in failed["detail"]


def test_bytes_that_are_not_the_bento_are_never_unpacked(
    platform: Platform, node: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"))
    name = revision["bento_sha256"]
    good, bad = platform.blobs[name], platform.blobs[name].replace(b"one", b"two")
    platform.blobs[name] = bad
    platform.serve({**revision, "weight": 10_000})
    platform.wait(lambda: "another digest" in platform.seen("rev_1")["detail"])
    assert not node.agent.bentos.listed()

    platform.blobs[name] = good

    platform.wait_phase("rev_1", "serving")
    assert node.who() == "one"


def test_a_file_changed_on_the_node_is_noticed_before_the_next_start(
    platform: Platform, node: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000)
    platform.serve(revision)
    platform.wait_phase("rev_1", "serving")
    bento = node.agent.bentos.path(revision["bento_digest"])
    (bento / "name.txt").write_text("evil")

    platform.serve({**revision, "restart_nonce": 1})

    platform.wait(lambda: [r.record.nonce for r in node.agent.replicas.all.values()] == [1])
    platform.wait_phase("rev_1", "serving")
    assert (bento / "name.txt").read_text() == "one"
    assert node.who() == "one"


def test_a_node_does_not_join_a_platform_with_another_root(
    platform: Platform, tmp_path: Any
) -> None:
    other = hashlib.sha256(PrivateKey.generate().public.raw).hexdigest()
    home = Home(tmp_path / "node")

    with pytest.raises(JoinFailed, match="root key is not the one"):
        join(home, platform.url, f"secret.{other}", root="", port=1, pythons=[])
    with pytest.raises(JoinFailed, match="no fingerprint"):
        join(home, platform.url, "secret", root="", port=1, pythons=[])
    with pytest.raises(ValueError, match="plain http is for this machine only"):
        join(home, "http://placet.example", platform.token, root="", port=1, pythons=[])
    assert platform.node_key is None
