"""Log forwarding from the command line."""

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.integrations.models import Delivery, Stream
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import answer, become
from tests.support.processes import until
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line is Ann's, who administers and audits."""
    world.people["Ann"] = factories.person("Ann", {"admin": None, "auditor": None})
    become(world, "Ann", live_server.url, monkeypatch)
    return world


def test_a_stream_from_its_beginning_to_its_end(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", "add", "siem", "https://siem.example/in", "--token-file", "siem.token"]
    assert main([*words, "--start", "2", "--project", "risk", "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["state"], made["cursor"], made["token_file"]) == ("running", 2, "siem.token")
    assert main([*words, "--project", "risk"]) == 6
    assert "taken" in capsys.readouterr().err
    assert main(["stream", "add", "x", "http://siem.example"]) == 1
    assert "without TLS" in capsys.readouterr().err
    assert main(["stream", "pause", "siem", "-o", "json"]) == 0
    assert answer(capsys)["state"] == "paused"
    assert main(["stream", "rewind", "siem", "0", "-o", "json"]) == 0
    assert answer(capsys)["cursor"] == 0
    assert main(["stream", "resume", made["id"]]) == 0
    assert "running" in capsys.readouterr().out
    assert main(["stream", "list", "-o", "json"]) == 0
    assert [row["name"] for row in answer(capsys)] == ["siem"]
    assert main(["stream", "show", "siem"]) == 0
    assert "siem.token" in capsys.readouterr().out
    assert main(["stream", "show", "other"]) == 1
    assert "no stream called other" in capsys.readouterr().err
    assert main(["stream", "remove", "siem"]) == 0
    assert not Stream.objects.exists()


def test_streams_with_one_name_are_told_apart(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.project("other")
    words = ["stream", "add", "siem", "https://siem.example/in"]

    def named(reference: str) -> str | None:
        assert main(["stream", "show", reference, "-o", "json"]) == 0
        project: str | None = answer(capsys)["project"]
        return project

    assert main([*words, "--project", "risk"]) == 0
    capsys.readouterr()
    assert named("siem") == "risk"
    assert main([*words, "--project", "other"]) == 0
    assert main(["stream", "pause", "siem"]) == 1
    assert "name one of other/siem, risk/siem" in capsys.readouterr().err
    assert named("other/siem") == "other"
    assert main(words) == 0
    capsys.readouterr()
    assert (named("siem"), named("risk/siem")) == (None, "risk")


@pytest.mark.parametrize("accepted", [True, False])
def test_a_test_is_waited_for(
    ann: World, capsys: pytest.CaptureFixture[str], accepted: bool
) -> None:
    assert main(["stream", "add", "siem", "https://siem.example/in"]) == 0
    capsys.readouterr()
    stream = Stream.objects.get()
    common = {"at": now(), "first": 0, "events": 0, "bytes": 9, "seconds": 0.1}
    Delivery.objects.create(stream=stream, test=True, accepted=True, **common)  # an earlier one
    codes: list[int] = []

    def waiting() -> None:
        codes.append(main(["stream", "test", "siem", "-o", "json"]))
        connection.close()

    thread = Thread(target=waiting)
    thread.start()
    until(Event.objects.filter(kind="stream.tested.v1").exists, what="the question")
    Delivery.objects.create(
        stream=stream, test=True, accepted=accepted, detail="" if accepted else "No", **common
    )
    thread.join(30)
    assert codes == [0 if accepted else 1]
    assert json.loads(capsys.readouterr().out)["accepted"] is accepted


def test_a_test_that_no_worker_sends_ends(ann: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", "add", "siem", "https://siem.example/in"]) == 0
    assert main(["stream", "test", "siem", "--timeout", "0"]) == 5
    assert "No worker" in capsys.readouterr().err


def test_streams_are_taken_away_as_a_table(ann: World, home: Path) -> None:
    assert main(["stream", "add", "siem", "https://siem.example/in"]) == 0
    assert main(["export", "streams", str(home / "streams.csv")]) == 0
    assert "siem.example" in (home / "streams.csv").read_text()
