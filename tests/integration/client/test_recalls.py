"""A recall's report is taken from the command line, and checked by the verifier."""

from pathlib import Path
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.audit.actions import write_checkpoint
from placet.kernel.keystore import root_public
from placet_client.cli import main
from placet_verify.__main__ import main as verifier
from tests.support import factories
from tests.support.commands import become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_report_is_written_and_verified(
    world: World,
    live_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = world.request("development")
    said = {"kind": "bento", "what": release.bento_id, "reason": "x"}
    found = recall(**said, project=world.project, actor=world.otto)
    world.people["Alma"] = factories.person("Alma", roles={"auditor": None})
    become(world, "Alma", live_server.url, monkeypatch)
    write_checkpoint()
    file = tmp_path / "recall.zip"
    assert main(["recall", "report", found.pk, str(file)]) == 0
    capsys.readouterr()
    assert verifier(["recall", str(file), "--confirmed"]) == 0
    told = capsys.readouterr().out
    assert f"never ran: release {release.pk}" in told
    assert "ok: signatures hold among themselves; whose they are is not shown" in told
    root = tmp_path / "root.pub"
    root.write_bytes(root_public().to_pem())
    assert verifier(["recall", str(file), "--root", str(root)]) == 0
    told = capsys.readouterr().out
    assert told.rstrip().endswith("ok: recall.zip is genuine: this is what was signed")
