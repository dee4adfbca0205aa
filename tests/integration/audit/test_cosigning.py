"""Being a witness, naming witnesses, and checking what they cosigned."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.audit.actions import export_folder
from apps.audit.actions.cosigning import witness_log
from apps.audit.actions.witnesses import add_witness, remove_witness
from apps.audit.models import (
    Cosignature,
    Event,
    Witness,
    WitnessedHead,
    WitnessState,
)
from apps.audit.queries.proofs import tlog_proofs
from apps.audit.queries.witnesses import own_keys
from placet.kernel.actor import ANONYMOUS, SYSTEM
from placet.kernel.keystore import root_public, signer
from placet.kernel.problems import Forbidden, InvalidInput, Problem
from placet_verify.__main__ import main as verifier
from placet_verify.log import checkpoint, merkle, submission
from placet_verify.log.cosignature import WitnessKey
from placet_verify.signing.keys import PrivateKey
from tests.support.witnesses import grow, show

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_checkpoints"),
]


class TestTheWitnesssDoor:
    @pytest.fixture
    def log(self) -> Iterator[Callable[..., Any]]:
        """A log of others with its own key; returns how it asks for a cosignature."""
        key = PrivateKey.generate()
        witness_log(key=checkpoint.verifier_key("example.com/log", key.public), actor=SYSTEM)
        leaves = [merkle.leaf_hash(bytes([n])) for n in range(50)]

        def ask(old: int, size: int, **other: Any) -> Any:
            signer_, proof_of = other.get("signer", key), other.get("proof_of", (old, size))
            hashes = merkle.consistency_proof(*sorted(proof_of), merkle.source_of(leaves))
            root = other.get("root", merkle.root(leaves[:size]))
            name, said = other.get("origin", "example.com/log"), other.get("said", size)
            note = checkpoint.make(name, said, root, signer_)
            body = submission.write(old, other.get("hashes", hashes), note)
            return Client().post("/witness/add-checkpoint", body, content_type="text/plain")

        yield ask

    def test_it_answers_as_the_protocol_says(self, log: Callable[..., Any]) -> None:
        first = log(0, 7)
        assert first.status_code == 200
        assert first.content.decode().startswith(f"— placet.dev/witness/{root_public().id} ")
        assert log(7, 20).status_code == 200
        behind = log(7, 30)
        assert (behind.status_code, behind.content) == (409, b"20\n")
        assert behind["Content-Type"] == "text/x.tlog.size"
        assert "GMT" in behind["Last-Modified"]
        assert log(20, 20).status_code == 200, "the same once more is cosigned anew"
        assert log(0, 10).status_code == 409, "a shrink"
        assert log(20, 30, proof_of=(19, 30)).status_code == 422
        assert log(20, 30, root=merkle.leaf_hash(b"fork")).status_code == 422
        assert log(20, 20, root=merkle.leaf_hash(b"fork")).status_code == 409
        assert log(31, 30, hashes=[]).status_code == 400
        assert log(20, 30, origin="example.com/other").status_code == 404
        assert log(20, 30, signer=PrivateKey.generate()).status_code == 403
        assert log(20, 30).status_code == 200
        assert WitnessedHead.objects.get().size == 30

    def test_a_size_or_a_name_that_no_log_has_is_refused(self, log: Callable[..., Any]) -> None:
        assert log(0, 7, said=2**63, hashes=[]).status_code == 400
        assert log(0, 7, said=10**19 - 1, hashes=[]).status_code == 400
        assert log(0, 7, origin="example.com/\x00").status_code == 400
        for body in (b"", b"\xff", b"old 0\n\n\x00\n1\nAAAA\n\n\n", b"x" * 100_000):
            answer = Client().post("/witness/add-checkpoint", body, content_type="text/plain")
            assert answer.status_code == 400

    def test_it_needs_no_sign_in_and_writes_no_event_for_a_cosignature(
        self, log: Callable[..., Any]
    ) -> None:
        """Two that witness each other would write events about each other for ever."""
        before = Event.objects.count()
        assert log(0, 7).status_code == 200
        assert Event.objects.count() == before

    def test_of_two_at_a_time_one_is_refused(
        self, log: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log(0, 7)
        from apps.audit.actions import cosigning

        seen = cosigning._seen

        def slow(origin: str) -> WitnessedHead:
            found = seen(origin)
            monkeypatch.setattr(cosigning, "_seen", seen)
            assert log(7, 20).status_code == 200  # another request, between look and record
            return found

        monkeypatch.setattr(cosigning, "_seen", slow)
        late = log(7, 15)
        assert (late.status_code, late.content) == (409, b"20\n")
        assert WitnessedHead.objects.get().size == 20

    def test_what_was_seen_is_remembered_when_the_log_is_taken_away_and_added_again(
        self, log: Callable[..., Any]
    ) -> None:
        from apps.audit.actions.cosigning import forget_log
        from apps.audit.models import WitnessedLog

        log(0, 7)
        row = WitnessedLog.objects.get()
        forget_log(row.pk, actor=SYSTEM)
        assert log(7, 8).status_code == 404
        witness_log(key=row.key, actor=SYSTEM)
        assert log(0, 5).content == b"7\n"


class TestOffline:
    @pytest.fixture
    def exported(self, other: Witness, tmp_path: Path) -> Path:
        """The log as an auditor gets it, two events after the witness saw it."""
        grow(5)
        show()
        grow(1)
        export_folder(tmp_path / "export", actor=SYSTEM)
        return tmp_path / "export"

    def test_an_auditor_who_knows_the_witness_sees_how_far_it_saw(
        self, exported: Path, other: Witness, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen = WitnessState.objects.get().size
        assert verifier(["log", str(exported), "--witness", other.key]) == 0
        said = capsys.readouterr().out
        assert f"the first {seen} leaves were the newest at 20" in said
        assert f"agrees with the checkpoint over {seen} leaves" in said

    def test_as_many_as_were_asked_for_must_have_cosigned(
        self, exported: Path, other: Witness, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stranger = str(WitnessKey("stranger", PrivateKey.generate().public))
        both = ["log", str(exported), "--witness", other.key, "--witness", stranger]
        assert verifier([*both, "--quorum", "1"]) == 0
        for wrong in (
            both,
            [*both, "--quorum", "3"],
            [*both, "--quorum", "0"],
            ["log", str(exported), "--quorum", "1"],
            ["log", str(exported), "--witness", "nobody"],
        ):
            assert verifier(wrong) == 1
        assert "has 1 of the 2 cosignatures" in capsys.readouterr().out

    def test_a_cosigned_checkpoint_of_another_history_is_a_fault(
        self, exported: Path, other: Witness
    ) -> None:
        head = checkpoint.parse((exported / "cosigned.txt").read_text())
        note = checkpoint.make(head.origin, head.size, merkle.EMPTY_ROOT, signer("log"))
        (exported / "cosigned.txt").write_text(note)
        assert verifier(["log", str(exported), "--witness", other.key]) == 1

    def test_one_event_is_proven_under_a_checkpoint_that_the_witness_saw(
        self, exported: Path, other: Witness, tmp_path: Path
    ) -> None:
        event = Event.objects.get(pk=2)
        file = tmp_path / "2.tlog-proof"
        file.write_text(tlog_proofs([(2, event.body)])[2])
        keys = ["--keys", str(exported / "keys.json"), "--root", str(exported / "root.pub")]
        assert verifier(["proof", str(file), *keys, "--witness", other.key]) == 0
        stranger = str(WitnessKey("stranger", PrivateKey.generate().public))
        assert verifier(["proof", str(file), *keys, "--witness", stranger]) == 1


class TestAdministration:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": "A b"}, "name"),
            ({"name": ""}, "name"),
            ({"name": "x" * 61}, "name"),
            ({"kind": "ftp"}, "kind"),
            ({"kind": ""}, "kind"),
            ({"address": "http://witness.example"}, "address"),
            ({"address": "https://u:p@witness.example"}, "address"),
            ({"address": "https://"}, "address"),
            ({"address": "https://w.example/?x"}, "address"),
            ({"address": "https://[::1"}, "address"),
            ({"address": "https://w e"}, "address"),
            ({"address": "file:///etc"}, "address"),
            ({"address": "https://w:99999"}, "address"),
            ({"address": "https://w.example/" + "x" * 500}, "address"),
            ({"key": ""}, "key"),
            ({"key": "name+0+AAAA"}, "key"),
            ({"kind": "file", "address": "../etc", "key": ""}, "address"),
            ({"kind": "file", "address": "/etc", "key": ""}, "address"),
            ({"kind": "file", "address": "vault"}, "key"),
            ({"kind": "s3", "address": "s3://"}, "address"),
            ({"kind": "s3", "address": "file:///x", "key": ""}, "address"),
            (
                {"kind": "s3", "address": "s3://bkt?endpoint_url=http://10.0.0.1", "key": ""},
                "address",
            ),
            ({"kind": "s3", "address": "s3://bkt", "key": "", "retain_days": 0}, "retain_days"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_field(self, wrong: dict[str, Any], field: str) -> None:
        right = {
            "name": "w",
            "kind": "http",
            "address": "https://witness.example/w",
            "key": own_keys().witness_key,
        }
        with pytest.raises(InvalidInput) as caught:
            add_witness(**{**right, **wrong}, actor=SYSTEM)
        assert [fault.pointer for fault in caught.value.errors] == [f"/{field}"]

    def test_a_name_and_a_key_are_taken_once(self, folder: Path) -> None:
        add_witness(name="w", kind="file", address="vault", actor=SYSTEM)
        with pytest.raises(Problem, match="name"):
            add_witness(name="w", kind="file", address="vault", actor=SYSTEM)
        witness_log(key=own_keys().log_key, actor=SYSTEM)
        with pytest.raises(Problem, match="already"):
            witness_log(key=own_keys().log_key, actor=SYSTEM)
        with pytest.raises(InvalidInput):
            witness_log(key=own_keys().witness_key, actor=SYSTEM)

    def test_nobody_without_the_permission_adds_one(self) -> None:
        with pytest.raises(Forbidden):
            add_witness(name="w", kind="file", address="vault", actor=ANONYMOUS)

    def test_a_witness_that_was_removed_is_shown_nothing_and_its_cosignatures_stay(
        self, other: Witness
    ) -> None:
        head = grow(3)
        show()
        remove_witness(other.pk, actor=SYSTEM)
        grow(3)
        assert show() == {}
        assert WitnessedHead.objects.get().size == head.size
        assert Cosignature.objects.get().size == head.size

    def test_the_log_rebuilds_what_was_added(self, other: Witness, folder: Path) -> None:
        from tests.support.replay import assert_log_rebuilds_every_row

        add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        remove_witness(other.pk, actor=SYSTEM)
        assert assert_log_rebuilds_every_row() >= 2
