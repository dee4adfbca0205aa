"""Discussions from the command line."""

from typing import Any

import pytest

from apps.discussions.models import Comment, Mention, Thread
from placet_client.cli import main
from tests.support.commands import answer, become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_discussion_from_its_first_word_to_its_end(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = world.request("staging", world.bento(world.version(), metrics={"auc": 0.9}))
    said = ["thread", "open", "risk/1", "Why, @rex.risk and @nobody?", "--about", "metrics/auc"]
    assert main([*said, "-o", "json"]) == 0
    printed = capsys.readouterr()
    thread = Thread.objects.get()
    assert thread.pk in printed.out
    assert "@nobody was not mentioned" in printed.err
    assert f"→ {live_server.url}/threads/{thread.pk}/" in printed.err
    become(world, "Rex", live_server.url, monkeypatch)
    assert main(["inbox", "-o", "json"]) == 0
    assert ("mention", thread.pk) in [(row["kind"], row["id"]) for row in answer(capsys)]
    assert main(["thread", "show", thread.pk]) == 0
    assert "Why, @rex.risk" in capsys.readouterr().out
    assert Mention.objects.get().seen_at is not None
    assert main(["thread", "reply", thread.pk, "Well", "-o", "json"]) == 0
    mine = answer(capsys)
    assert main(["thread", "edit", thread.pk, mine["id"], "Well, well", "-o", "json"]) == 0
    assert answer(capsys)["text"] == "Well, well"
    first = Comment.objects.earliest("pk").pk
    assert main(["thread", "edit", thread.pk, first, "Mine?"]) == 3
    assert main(["thread", "delete", thread.pk, mine["id"]]) == 0
    assert main(["thread", "resolve", thread.pk]) == 0
    capsys.readouterr()
    assert main(["thread", "reply", thread.pk, "More"]) == 6
    assert "reopen it to reply" in capsys.readouterr().err
    assert main(["thread", "list", release.pk, "--state", "open", "-o", "json"]) == 0
    assert answer(capsys) == []
    assert main(["thread", "reopen", thread.pk]) == 0
    capsys.readouterr()
    assert main(["thread", "show", thread.pk, "-o", "json"]) == 0
    shown = answer(capsys)
    assert [item["state"] for item in shown["items"]] == ["written", "deleted"]


def test_a_version_is_named_as_everywhere(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    version = world.request("staging").version
    assert main(["thread", "open", "risk/churn:1", "Which rows?", "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["kind"], made["subject"]) == ("version", version.pk)
    assert main(["thread", "list", version.pk]) == 0
    assert "open" in capsys.readouterr().out
    assert main(["thread", "list", "pol_nothing"]) == 1
