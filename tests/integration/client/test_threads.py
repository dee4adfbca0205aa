"""Discussions from the command line."""

from pathlib import Path
from typing import Any

import pytest

from apps.discussions.models import Comment, CommentFile, Mention, Thread
from placet_client.cli import main
from tests.support.commands import answer, become
from tests.support.comment_files import scanned
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


def test_files_are_sent_listed_downloaded_and_deleted(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    world.request("staging")
    become(world, "Rex", live_server.url, monkeypatch)
    first, second, out = (tmp_path / name for name in ("auc.csv", "tool", "got.csv"))
    first.write_bytes(b"a,b\n")
    second.write_bytes(b"\x7fELF")
    assert (
        main(["thread", "open", "risk/1", "See", "--file", str(first), "--file", str(first)]) == 2
    )
    assert main(["thread", "open", "risk/1", "See", "--file", str(second)]) == 1
    assert "tool is a program: say where it lies instead" in capsys.readouterr().err
    assert not Thread.objects.exists()
    assert main(["thread", "open", "risk/1", "See", "--file", str(first), "-o", "json"]) == 0
    thread = answer(capsys)["id"]
    assert main(["thread", "reply", thread, "And", "--file", str(first), "-o", "json"]) == 0
    (listed,) = answer(capsys)["files"]
    file = CommentFile.objects.get(pk=listed["id"])
    named = [thread, file.comment_id, file.pk]
    assert main(["thread", "download", *named, "--to", str(out)]) == 6
    scanned(file, "code-carrying", "auc.csv: is a pickle")
    assert main(["thread", "show", thread]) == 0
    shown = "".join(capsys.readouterr())
    assert "auc.csv, 4 bytes, Text. Scanned: can run code when it is opened" in shown
    assert main(["thread", "download", *named, "--to", str(out)]) == 0
    assert out.read_bytes() == b"a,b\n"
    assert main(["thread", "download", *named, "--to", str(out)]) == 2, "what is there stays"
    assert main(["thread", "delete-file", *named]) == 0
    assert main(["thread", "download", *named, "--to", str(tmp_path / "more")]) == 1


def test_who_names_somebody_in_a_comment_on_a_release_is_told_that_it_mentions_nobody(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.request("staging")
    assert main(["release", "comment", "risk/1", "Is it stable, @rex.risk?"]) == 0
    told = "@rex.risk was not told: only a comment in a discussion mentions people"
    assert told in capsys.readouterr().err
