"""The command line and the API say of a version that it is recalled, as its page does."""

import json
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_version_is_said_to_be_recalled_for_as_long_as_the_recall_stands(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    version = world.version()
    name = f"{world.project.slug}/{version.model.name}"
    what = {"kind": "version", "what": version.pk, "project": world.project}
    become(world, "Otto", live_server.url, monkeypatch)

    def said(*words: str) -> str:
        assert main(["version", *words]) == 0
        return capsys.readouterr().out

    def one() -> tuple[Any, ...]:
        shown = json.loads(said("show", f"{name}:{version.number}", "-o", "json"))
        listed = json.loads(said("list", name, "-o", "json"))
        (row,) = [row for row in listed if row["id"] == version.pk]
        assert all(row[key] == shown[key] for key in ("recalled", "recalled_because"))
        return shown["state"], shown["recalled"], shown["recalled_because"]

    assert one() == ("finalised", False, "")
    assert "recalled" not in said("show", f"{name}:{version.number}")
    row = recall(**what, reason="leaky", actor=world.otto)
    because = f"It was recalled on {row.created_at:%Y-%m-%d} and the recall was not withdrawn"
    assert one() == ("finalised", True, because)
    for told in (said("list", name), said("show", f"{name}:{version.number}")):
        assert " recalled " in told and " finalised " not in told
    assert because in " ".join(said("show", f"{name}:{version.number}").split())
    lift(row, reason="labels were right", actor=world.vera)
    assert one() == ("finalised", False, "")


def test_a_version_that_is_changed_once_it_is_recalled_is_answered_as_recalled(
    world: World,
) -> None:
    version = world.version()
    what = {"kind": "version", "what": version.pk, "project": world.project}
    recall(**what, reason="leaky", actor=world.otto)
    client = factories.api(world.people["Alan"])
    path = f"/projects/{world.project.slug}/models/{version.model.name}/versions/{version.number}"
    tag = client.get(path).headers["ETag"]
    changed = client.put(f"{path}/tags", {"tags": {"a": "b"}}, if_match=tag)
    assert changed.json().get("recalled"), changed.content
