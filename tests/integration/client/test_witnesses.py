"""Two Placets are made each other's witnesses from the command line."""

import json
from typing import Any

import pytest

from apps.audit.actions import write_checkpoint
from apps.audit.actions.witnesses import show_witnesses
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_log_is_witnessed_and_watched_by_its_own_keys(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def told(*command: str) -> Any:
        assert main(["audit", *command, "-o", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    world.people["Alma"] = factories.person("Alma", roles={"admin": None, "auditor": None})
    become(world, "Alma", live_server.url, monkeypatch)
    keys = told("witness", "keys")
    told("witnessed", "add", keys["log_key"])
    address = f"{live_server.url}/witness"
    made = told("witness", "add", "other", address, "--key", keys["witness_key"])
    write_checkpoint()
    assert show_witnesses() == {}
    (seen,), (log,) = told("witness", "list"), told("witnessed", "list")
    assert seen["size"] == log["size"] > 0
    assert log["origin"] == keys["origin"]
    assert keys["witness_key"].partition("+")[0] in told("checkpoint")["cosigned"]["note"]
    assert main(["audit", "witness", "remove", made["id"]]) == 0
    assert main(["audit", "witnessed", "remove", log["id"]]) == 0
    capsys.readouterr()
    assert told("witness", "list") == told("witnessed", "list") == []
