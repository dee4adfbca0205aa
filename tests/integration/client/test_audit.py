"""An auditor verifies the log without trusting the server that shows it."""

from pathlib import Path
from typing import Any

import pytest

from apps.audit.actions import write_checkpoint
from placet_client import Client, login
from placet_client import log as copies
from placet_client.cli import audit, main
from placet_client.cli.command import CommandEnded, connected
from placet_client.nouns import Audit
from placet_client.records import LeafPage
from placet_verify.commands.pack import packed
from placet_verify.signing.keys import PrivateKey, PublicKey
from placet_verify_js import page
from tests.support import factories
from tests.support.commands import become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aude(world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line is Aude's, who audits, and there is a checkpoint."""
    world.people["Aude"] = factories.person("Aude", roles={"auditor": None})
    become(world, "Aude", live_server.url, monkeypatch)
    write_checkpoint()
    return world


def copy_of(home: Path) -> tuple[Path, PublicKey]:
    """Take a copy of the log; return it with the root that came along."""
    folder = home / "copy"
    with connected() as client:
        copies.download(client, folder)
    return folder, PublicKey.load(folder / "root.pub")


def test_the_log_has_to_continue_the_checkpoint_of_the_run_before(
    aude: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify"]) == 0
    first = capsys.readouterr().out
    assert "ok:" in first and "no earlier checkpoint" in first
    aude.live()
    write_checkpoint()
    assert main(["audit", "verify"]) == 0
    memory = login.Memory(login.current().url)
    again = capsys.readouterr().out
    assert f"in {memory.checkpoint}" in again and "ok:" in again
    kept = memory.checkpoint.read_text()
    size, rest = kept.split("\n")[1], kept.split("\n", 2)[2]
    memory.checkpoint.write_text(f"{kept.splitlines()[0]}\n{int(size) - 1}\n{rest}")
    assert main(["audit", "verify"]) == 1
    assert "REFUSED" in capsys.readouterr().err


def test_why_a_body_was_not_read_is_said(
    aude: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["audit", "verify"]) == 0
    assert "as hashes alone" not in capsys.readouterr().out
    aude.people["Nemo"] = factories.person("Nemo")
    become(aude, "Nemo", live_server.url, monkeypatch)
    assert main(["audit", "verify"]) == 0
    said = capsys.readouterr().out
    assert " 0 bodies read" in said
    assert "this token may not read it" in said


def test_a_log_that_was_rewritten_does_not_continue_the_checkpoint(aude: World, home: Path) -> None:
    folder, root = copy_of(home)
    kept = home / "kept.txt"
    kept.write_text((folder / "checkpoint.txt").read_text())
    aude.live()
    write_checkpoint()
    folder, root = copy_of(home)
    assert audit.check(folder, root, [kept]).size > 0
    with pytest.raises(CommandEnded, match="more leaves"):
        (home / "newer.txt").write_text((folder / "checkpoint.txt").read_text())
        (folder / "checkpoint.txt").write_text(kept.read_text())
        audit.check(folder, root, [home / "newer.txt"])


def test_the_root_is_trusted_on_first_use_and_another_is_refused(
    aude: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify"]) == 0
    assert "trusted on first use" in capsys.readouterr().out
    memory = login.Memory(login.current().url)
    known = PublicKey.load(memory.root)
    assert main(["audit", "verify"]) == 0
    assert f"{known.fingerprint}, as remembered" in capsys.readouterr().out
    other = PrivateKey.generate().public
    memory.root.write_bytes(other.to_pem())
    assert main(["audit", "verify"]) == 1
    said = capsys.readouterr().err
    assert known.fingerprint in said and other.fingerprint in said and "--root" in said
    assert PublicKey.load(memory.root) == other, "a refused root is not remembered"
    assert main(["audit", "verify", "--root", known.fingerprint]) == 0
    assert PublicKey.load(memory.root) == known


def test_a_root_from_elsewhere_is_given_as_fingerprint_or_file(
    aude: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, root = copy_of(home)
    assert main(["audit", "verify", "--root", root.fingerprint]) == 0
    assert "as given by --root" in capsys.readouterr().out
    assert main(["audit", "verify", "--root", str(folder / "root.pub")]) == 0
    assert main(["audit", "verify", "--root", PrivateKey.generate().public.fingerprint]) == 1
    assert main(["audit", "verify", "--root", "sha256:12"]) == 2
    (home / "no.pub").write_text("not a key")
    assert main(["audit", "verify", "--root", str(home / "no.pub")]) == 1


def test_a_changed_leaf_is_named(aude: World, home: Path) -> None:
    folder, root = copy_of(home)
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert '\\"kind' in lines[3]
    lines[3] = lines[3].replace('\\"kind', '\\"kinb', 1)
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(CommandEnded, match="leaf 3"):
        audit.check(folder, root, [])


def test_a_log_that_was_cut_ends_the_download_and_is_named(
    aude: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with connected() as client:
        size = client.audit.checkpoint().size
    whole = Audit.leaves

    def cut(self: Audit, *, start: int = 0, limit: int = 500) -> LeafPage:
        if start:
            return LeafPage(raw={}, items=(), next=None, size=size)
        return whole(self, start=0, limit=size - 2)

    monkeypatch.setattr(Audit, "leaves", cut)
    assert main(["audit", "verify"]) == 1
    assert "FAULT at" in capsys.readouterr().err
    assert not login.Memory(login.current().url).checkpoint.exists()


def test_events_go_to_a_file_and_to_the_terminal(
    aude: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connected() as client:
        assert isinstance(client, Client)
        known = len(list(client.audit.events()))
    assert main(["audit", "save", str(home / "events.jsonl")]) == 0
    assert len((home / "events.jsonl").read_text().splitlines()) == known
    assert main(["audit", "save", str(home / "events.csv"), "--format", "csv"]) == 0
    # Its heading, and the event that the first export is.
    assert (home / "events.csv").read_text().count("\n") == known + 2
    assert main(["audit", "save", str(home / "none" / "events.csv")]) == 1
    capsys.readouterr()
    assert main(["audit", "events", "--limit", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_either_verifier_is_written_to_a_file(aude: World, home: Path) -> None:
    for arguments, name, content in (
        ([], "placet-verify.pyz", packed()),
        (["--page"], "placet-verify.html", page()),
    ):
        assert main(["audit", "verifier", str(home / name), *arguments]) == 0
        assert (home / name).read_bytes() == content
