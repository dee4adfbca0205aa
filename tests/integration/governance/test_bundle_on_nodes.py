"""A release that went to a node: its bundle holds what the node signed, and what takes it back.

The receipts are signed by the agent's own code with the node's key, and come in by its reports.
"""

import os
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Receipt
from apps.audit.actions import write_checkpoint
from apps.governance import actions as governance
from apps.governance.models import Release
from apps.serving import actions as serving
from apps.serving.desired import sign_state
from apps.serving.models import Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.keystore import ring
from placet_agent.process.replica import ReplicaRecord
from placet_agent.reports.receipts import Receipts, Who
from placet_verify import canonical, recalls
from placet_verify.__main__ import main
from placet_verify.bundle import bundle
from placet_verify.errors import Refused
from placet_verify.recalls import Book
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import KeyRing, PrivateKey
from tests.support.bundles import EXAMPLE, files_of, papers, taken
from tests.support.enrolment import Signers
from tests.support.nodes import SimulatedNode

pytestmark = pytest.mark.django_db
RENEW = bool(os.environ.get("PLACET_RENEW_EXAMPLE"))


@dataclass
class Host:
    """A node that signs by the agent's code. What runs is what a test says."""

    node: SimulatedNode
    folder: Path
    running: list[ReplicaRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        who = Who(self.node.id, self.node.row.target_id, self.node.key)
        self.receipts = Receipts(self.folder / "receipts.json", who, self.book)

    def book(self) -> Book:
        """What the node was told is recalled."""
        found = Book()
        told = self.node.state.get("recalls", [])
        found.add(recalls.read(Envelope.from_dict(one), ring()) for one in told)
        return found

    def starts(self, revision: Revision) -> None:
        """Run a revision."""
        self.running.append(
            ReplicaRecord(
                id="rep_1",
                revision=revision.pk,
                release=revision.release,
                endpoint=revision.endpoint_id,
                bento_digest=revision.bento_id,
                runtime_digest="",
                python_version="3.11",
                variables={},
                memory_mb=1,
                nonce=0,
                port=1,
                uid=None,
            )
        )
        self.reports()

    def stops(self) -> None:
        """End what runs."""
        self.running.clear()
        self.reports()

    def reports(self) -> None:
        """Pull the state, and post what follows from it."""
        sign_state(self.node.row.target_id)
        self.node.pull()
        signed = self.receipts.look(self.running, self.book(), self.node.epoch)
        answer = self.node.report(receipts=list(signed))
        assert answer.status_code == 200, answer.content
        self.receipts.told(signed)


@pytest.fixture
def world(signers: Signers) -> Signers:
    """The project whose people have passkeys."""
    return signers


@pytest.fixture
def host(node: SimulatedNode, tmp_path: Path) -> Host:
    return Host(node, tmp_path)


@pytest.fixture
def release(signers: Signers) -> Release:
    """A release that Rex approved with a passkey, and that is live."""
    bento = signers.bento(signers.version())
    papers(bento)
    asked = signers.request("staging", bento)
    signers.sign(asked, signers.rex)
    return goes_live(asked)


def goes_live(release: Release) -> Release:
    keys = ring()
    begun = governance.begin_rollout(release, ring=keys, actor=SYSTEM)
    revision = serving.add_revision(
        begun.endpoint,
        bento=begun.bento,
        release=begun.pk,
        ring=keys,
        actor=SYSTEM,
        permit=governance.assemble_permit(begun),
        serving=begun.serving,
    )
    serving.set_revision(revision, state="ready", actor=SYSTEM)
    serving.set_revision(revision, state="live", weight=10_000, actor=SYSTEM)
    return governance.mark_live(begun, actor=SYSTEM)


def bundle_of(release: Release) -> dict[str, bytes]:
    write_checkpoint()
    return files_of(taken(Release.objects.get(pk=release.pk)))


def lines_of(files: dict[str, bytes]) -> list[str]:
    return list(bundle.verify(files, ring()))


def starting(lines: Iterable[str], start: str) -> list[str]:
    return [line for line in lines if line.startswith(start)]


def revision_of(release: Release) -> Revision:
    return Revision.objects.select_related("endpoint").get(release=release.pk)


def test_what_runs_still_is_not_proven(release: Release, host: Host) -> None:
    said = lines_of(bundle_of(release))
    revision = revision_of(release).pk
    assert f"node {host.node.id}: joined target {host.node.row.target_id} with key" in str(said)
    (unproven,) = starting(said, f"not checked: whether {revision} ran")
    assert f"node {host.node.id} has signed no receipt of it" in unproven
    assert not starting(said, "contradicted")


def test_a_bundle_says_which_node_ran_it_from_when_to_when(
    release: Release, host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.starts(revision_of(release))
    if RENEW:
        time.sleep(90)
    host.stops()
    host.starts(revision_of(release))
    kept = Receipt.objects.get()
    write_checkpoint()
    file = tmp_path / "release.zip"
    file.write_bytes(taken(release))
    if RENEW:
        (EXAMPLE / "release-bundle.zip").write_bytes(file.read_bytes())
        (EXAMPLE / "root.pub").write_bytes(ring().root.to_pem())
    root = tmp_path / "root.pub"
    root.write_bytes(ring().root.to_pem())
    assert main(["bundle", str(file), "--root", str(root)]) == 0
    said = capsys.readouterr().out.splitlines()
    (ran,) = starting(said, "ran: ")
    assert f"{kept.revision} from " in ran
    assert f"signed by node {host.node.id}, event " in ran
    assert not starting(said, "contradicted")
    assert said[-1].endswith("and all of it is in the log")


def test_a_recall_that_its_node_confirmed(release: Release, host: Host, signers: Signers) -> None:
    host.starts(revision_of(release))
    said = {"kind": "bento", "what": release.bento_id, "reason": "poisoned"}
    found = recall(**said, project=signers.project, actor=signers.otto)
    files = bundle_of(release)
    (still,) = starting(lines_of(files), "open: ")
    assert still == (
        f"open: recall {found.pk}: node {host.node.id} has not signed that nothing of it runs"
    )
    host.stops()
    lines = lines_of(bundle_of(release))
    assert starting(lines, f"confirmed: recall {found.pk}: node {host.node.id} signed at ")
    assert starting(lines, f"recalled: bento {release.bento_id}, by {signers.otto.id} at ")
    assert starting(lines, f"recall {found.pk}: {revision_of(release).pk} ran ")
    assert not starting(lines, "contradicted")
    lift(found, reason="a false alarm", actor=signers.vera)
    lines = lines_of(bundle_of(release))
    assert starting(lines, f"lifted: by {signers.vera.id} at ")
    assert starting(lines, "recalled: "), "the release stays revoked"


def test_the_command_says_that_it_is_recalled(
    release: Release,
    host: Host,
    signers: Signers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = {"kind": "version", "what": release.version_id, "reason": "poisoned"}
    recall(**said, project=signers.project, actor=signers.otto)
    write_checkpoint()
    file = tmp_path / "release.zip"
    file.write_bytes(taken(Release.objects.get(pk=release.pk)))
    assert main(["bundle", str(file)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("; a recall took it away, and it must not run")


def test_a_run_behind_the_nodes_own_word_is_contradicted(
    release: Release, host: Host, signers: Signers
) -> None:
    host.starts(revision_of(release))
    said = {"kind": "bento", "what": release.bento_id, "reason": "poisoned"}
    found = recall(**said, project=signers.project, actor=signers.otto)
    host.stops()
    late = {"started_at": found.created_at, "ended_at": now() + timedelta(seconds=60)}
    text = host.node.ran(revision_of(release), **late)
    host.node.a_minute_later()
    assert host.node.report(receipts=[text]).status_code == 200
    lines = lines_of(bundle_of(release))
    assert starting(lines, f"contradicted: recall {found.pk}: node {host.node.id} signed at ")
    assert "that nothing of it runs, and that" in str(lines)


def test_runs_that_one_event_shows_are_all_in_the_bundle(release: Release, host: Host) -> None:
    for _ in range(4):
        host.starts(revision_of(release))
        host.stops()
    assert Receipt.objects.count() == 1, "the others wait for the minute's end"
    host.node.a_minute_later()
    host.reports()
    files = bundle_of(release)
    assert len(canonical.loads(files["receipts.json"])) == 4
    revision = revision_of(release).pk
    assert len(starting(lines_of(files), f"ran: {revision} from ")) == 4


def test_the_receipts_of_another_release_do_not_come_along(
    release: Release, host: Host, signers: Signers
) -> None:
    host.starts(revision_of(release))
    host.stops()
    bento = signers.bento(signers.version())
    papers(bento)
    other = signers.request("staging", bento, endpoint="other")
    signers.sign(other, signers.rex)
    goes_live(other)
    mine, theirs = bundle_of(release), bundle_of(other)
    assert canonical.loads(theirs["receipts.json"]) == []
    with pytest.raises(Refused) as caught:
        lines_of(theirs | {"receipts.json": mine["receipts.json"]})
    assert caught.value.code == "not_logged"
    shown = {name: content for name, content in mine.items() if name.startswith("log/")}
    with pytest.raises(Refused) as caught:
        lines_of(shown | theirs | {"receipts.json": mine["receipts.json"]})
    assert caught.value.code == "other_release"


def test_a_host_that_was_set_up_anew_signs_with_its_new_key(
    release: Release, host: Host, tmp_path: Path
) -> None:
    host.starts(revision_of(release))
    host.stops()
    (tmp_path / "anew").mkdir()
    again = Host(SimulatedNode.joined(host.node.row.target), tmp_path / "anew")
    again.starts(revision_of(release))
    again.stops()
    files = bundle_of(release)
    lines = lines_of(files)
    assert len(starting(lines, "ran: ")) == 2
    assert len(starting(lines, f"node {again.node.id}: joined target")) == 2
    assert again.node.id == host.node.id
    assert not starting(lines, "contradicted")


def test_no_flip_of_what_a_node_signed_is_taken(release: Release, host: Host) -> None:
    host.starts(revision_of(release))
    host.stops()
    files, root, chance = bundle_of(release), ring().root, random.Random(5)
    for _ in range(100):
        name = chance.choice(["receipts.json", "recalls.json", "README.txt", *_logged(files)])
        raw = bytearray(files[name])
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        changed = files | {name: bytes(raw)}
        with pytest.raises(Refused):
            list(bundle.verify(changed, KeyRing.open(changed["keys.json"], root)))


def _logged(files: dict[str, bytes]) -> list[str]:
    return [name for name in files if name.startswith("log/")]


def test_a_receipt_by_another_key_is_not_handed_out(release: Release, host: Host) -> None:
    """Whoever writes into the log past Placet: the node's signature is what they cannot make."""
    host.starts(revision_of(release))
    own, host.receipts.who = (
        host.node.key,
        Who(host.node.id, host.node.row.target_id, PrivateKey.generate()),
    )
    host.stops()
    assert not Receipt.objects.exists(), "the platform does not take it either"
    assert own.public.to_base64() == host.node.row.public_key
    assert not starting(lines_of(bundle_of(release)), "ran: ")


# --- a bundle from before there were receipts -----------------------------------------------------

OLD = Path(__file__).resolve().parents[2] / "bundles"


def test_a_bundle_of_format_1_still_verifies_and_says_what_it_has_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = [str(OLD / "format-1.zip"), "--root", str(OLD / "format-1.pub")]
    assert main(["bundle", *where]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == "not checked: what nodes really ran: a bundle of format 1 has no receipts"


def test_a_bundle_that_is_called_another_format_is_refused(release: Release) -> None:
    files = bundle_of(release)
    first = bundle.READMES[1].encode()
    with pytest.raises(Refused):  # it has files that a bundle of format 1 has not
        lines_of(files | {"README.txt": first})
    old = bundle.read(OLD / "format-1.zip")
    keys = KeyRing.open(old["keys.json"], ring().root.from_pem(old["root.pub"]))
    assert old["README.txt"] == first
    with pytest.raises(Refused, match=r"there is no recalls\.json"):
        list(bundle.verify(old | {"README.txt": bundle.README_TEXT.encode()}, keys))
