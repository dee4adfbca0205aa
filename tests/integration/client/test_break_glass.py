"""The command line says how an emergency release stands as pages do; JSON has the API's states."""

import json
from typing import Any

import pytest

from apps.governance import actions
from placet.kernel.actor import SYSTEM
from placet_client.cli import main
from tests.support.break_glass import confirmed, fragile, opened
from tests.support.commands import become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_tables_say_what_pages_say_of_how_an_emergency_release_stands(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fragile(world)
    release = world.request("staging", plan={"start": "manual"})
    glass = opened(world, release)
    become(world, "Otto", live_server.url, monkeypatch)

    def said(*words: str) -> str:
        assert main(["break-glass", *words]) == 0
        return capsys.readouterr().out

    def stands(words: str, state: str) -> None:
        assert words in said("list")
        (line,) = [row for row in said("show", glass.pk).splitlines() if row.startswith("state ")]
        assert line.split(maxsplit=1)[1] == words
        assert json.loads(said("show", glass.pk, "-o", "json"))["state"] == state

    stands("awaiting co-signature", "opened")
    confirmed(world, glass)
    stands("active", "confirmed")
    actions.begin_rollout(release, actor=SYSTEM)
    stands("used", "confirmed")
    actions.end_break_glass(glass, actor=world.vera)
    stands("ended", "ended")
    assert "ended by Vera risk" in said("list")
