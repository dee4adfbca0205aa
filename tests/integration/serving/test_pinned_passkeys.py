"""A thief of every key that the server has, against a node whose root demands passkeys."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.governance.models import Release
from apps.serving.models import Revision
from placet.kernel.config import config
from placet.kernel.keystore import keys_document, ring, signer
from placet_agent.state.data_dir import Home
from placet_agent.state.trust import Trust
from placet_verify import canonical
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import build_permit
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import DecisionStatement, PolicyStatement, RequestStatement, parse
from tests.support.enrolment import Signers
from tests.support.forgeries import forged_state, signed_now, unapproved, verdicts
from tests.support.story import Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(signers: Signers) -> Signers:
    """The project whose people have passkeys."""
    return signers


@pytest.fixture
def live(signers: Signers, story: Story) -> Release:
    """A release that Rex approved with a passkey, and that serves."""
    release = story.release("staging")
    signers.sign(release, signers.rex)
    story.settle()
    assert story.state(release) == "live"
    return release


def trusting(signers: Signers, folder: Path, *, pinned: bool) -> Trust:
    """Return the verification of a node whose ``keys.json`` demands passkeys, or not."""
    document = keys_document()
    if pinned:
        root = PrivateKey.load(config().keys / "root.key")
        document = ring().pin(["staging"]).seal(root)
    home = Home(folder)
    home.make()
    answer: dict[str, Any] = {"keys": json.loads(document)}
    trust = Trust(home, signers.target.pk, ring().root, lambda: answer)
    trust.refresh_keys()
    return trust


def forged(signers: Signers, live: Release) -> tuple[str, str]:
    """Return an unapproved Bento's digest, and a state in which it takes the place of what is
    live: policy, request and decision of the thief's own, all signed with the server's keys."""
    evil, decision_key = unapproved(signers), signer("decision")
    permit = json.loads(Revision.objects.get(release=live.pk).permit)
    real = parse(Signed.from_dict(permit["policy"]).envelope.payload)
    request = parse(dsse.Envelope.from_dict(permit["request"]).payload)
    assert isinstance(real, PolicyStatement)
    assert isinstance(request, RequestStatement)
    policy = PolicyStatement(
        project=real.project,
        environment=real.environment,
        revision_id=real.revision_id,
        number=real.number,
        drafted_by=real.drafted_by,
        published_by=real.published_by,
        at=real.at,
        document={
            "version": 1,
            "expires_after_days": 14,
            "gates": [{"gate": "approvals", "role": "reviewer", "count": 1}],
        },
    )
    wanted = replace(
        request,
        bento_digest=evil.digest,
        policy_digest=policy.document_digest,
        nonce="a-new-nonce-000001",
    )
    decision = DecisionStatement.on(
        wanted,
        verdict="approve",
        person=signers.rex.id,
        role="reviewer",
        nonce="another-nonce-00001",
        at=request.at,
    )
    made = build_permit(
        Signed(policy.sign(decision_key)),
        wanted.sign(decision_key),
        [Signed(decision.sign(decision_key))],
    )
    content = canonical.dumps(forged_state(signers, live, evil, made))
    return evil.digest, dsse.sign(dsse.STATE, content, signer("state")).to_json()


def test_a_node_runs_what_people_signed_with_their_passkeys(
    signers: Signers, live: Release, tmp_path: Path
) -> None:
    state = signed_now(signers)
    for pinned in (False, True):
        trust = trusting(signers, tmp_path / str(pinned), pinned=pinned)
        assert verdicts(trust, state) == {live.bento_id: ""}


def test_the_servers_own_keys_together_put_nothing_on_a_node_that_demands_passkeys(
    signers: Signers, live: Release, tmp_path: Path
) -> None:
    """The same state passes where nothing is pinned: the root's demand is what stops it."""
    digest, state = forged(signers, live)
    assert verdicts(trusting(signers, tmp_path / "free", pinned=False), state)[digest] == ""
    assert "passkey" in verdicts(trusting(signers, tmp_path / "pinned", pinned=True), state)[digest]


def test_a_node_does_not_forget_the_demand(signers: Signers, live: Release, tmp_path: Path) -> None:
    trust = trusting(signers, tmp_path / "node", pinned=True)
    again = Trust(trust.home, signers.target.pk, ring().root, lambda: {"keys": keys_document()})
    assert again.ring.passkeys == {"staging"}
    with pytest.raises(Exception, match="already seen"):
        again.refresh_keys()
    digest, state = forged(signers, live)
    assert "passkey" in verdicts(again, state)[digest]
