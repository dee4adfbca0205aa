"""Captured predictions, and what became of them, from the command line."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from apps.monitoring.actions import store_captures
from apps.serving.models import Revision
from placet_client.cli import main
from tests.support.captures import line, send, text
from tests.support.commands import answer, become
from tests.support.story import Story

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_outcome_is_reported_by_the_id_of_its_prediction(
    story: Story,
    live_server: Any,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = story.live(serving={"capture": {"percent": 100}})
    name, revision = f"risk/development/{release.endpoint.name}", Revision.objects.get().pk
    one, two = line(revision), line(revision)
    assert send(story.node, revision, text(one, two))[0] == 201
    store_captures()
    file = home / "outcomes.json"
    item = {"prediction": two["id"], "name": "fraud", "value": 0}
    file.write_text(json.dumps([item, item | {"prediction": str(uuid4())}]))

    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["outcome", "report", name, one["id"], "fraud", "1", "-o", "json"]) == 0
    assert answer(capsys) == {"counted": 1, "waiting": 0, "known": 0}
    assert main(["outcome", "report", name, "--file", str(file), "-o", "json"]) == 0
    assert answer(capsys) == {"counted": 1, "waiting": 1, "known": 0}
    assert main(["outcome", "report", name, one["id"], "fraud", "0"]) == 1
    assert "1 was reported before, and stays" in capsys.readouterr().err
    assert main(["outcome", "report", name, one["id"]]) == 2
    assert main(["outcome", "report", name, one["id"], "fraud", "--file", str(file)]) == 2
    capsys.readouterr()

    assert main(["outcome", "list", name, "--revision", revision, "-o", "json"]) == 0
    assert {row["prediction"]: row["value"] for row in answer(capsys)} == {
        one["id"]: 1,
        two["id"]: 0,
    }
    assert main(["prediction", "list", name, "--limit", "1", "-o", "json"]) == 0
    assert answer(capsys)[0]["outcomes"] == {"fraud": 0}
    assert main(["prediction", "captures", name]) == 0
    assert main(["prediction", "erase", name, "--unit", "u1"]) == 0
    assert main(["prediction", "erasures", name, "-o", "json"]) == 0
