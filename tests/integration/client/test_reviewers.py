"""Asking people by name to review a release, and being away, on the command line."""

from datetime import timedelta
from typing import Any

import pytest

from apps.governance.actions import request_review
from apps.governance.models import Absence, ReviewRequest
from apps.identity.models import User
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support.commands import answer, become
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_reviewer_is_asked_shown_and_taken_back(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    release = world.request("staging")
    become(world, "Ada", live_server.url, monkeypatch)
    assert main(["release", "ask", "risk/1", "Rita risk", "--review-days", "2"]) == 0
    assert main(["release", "show", release.pk]) == 0
    shown = capsys.readouterr()
    assert "Asked by name to review it:" in shown.out and "Ada risk" in shown.out
    assert main(["release", "ask", release.pk, "Otto risk"]) == 1
    said = capsys.readouterr().err
    assert "Nobody called Otto risk can decide on this release" in " ".join(said.split())
    become(world, "Rita", live_server.url, monkeypatch)
    capsys.readouterr()
    assert main(["inbox", "-o", "json"]) == 0
    (task,) = answer(capsys)
    assert "Ada risk asked you, due" in task["detail"]
    become(world, "Ada", live_server.url, monkeypatch)
    assert main(["release", "unask", release.pk, "rita RISK"]) == 0
    assert ReviewRequest.objects.get().removed_at is not None
    assert main(["release", "unask", release.pk, "rita RISK"]) == 1


def test_of_two_with_one_name_neither_is_taken_back_by_it(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    release = world.request("staging")
    people = [world.people["Rex"], world.people["Rita"]]
    request_review(release, reviewers=[person.pk for person in people], actor=world.ada)
    User.objects.filter(pk=people[0].pk).update(name=people[1].name)
    become(world, "Ada", live_server.url, monkeypatch)
    assert main(["release", "unask", release.pk, "Rita risk"]) == 1
    assert "name one by id" in " ".join(capsys.readouterr().err.split())
    assert ReviewRequest.objects.filter(removed_at=None).count() == 2
    assert main(["release", "unask", release.pk, people[0].pk]) == 0
    assert ReviewRequest.objects.get(removed_at=None).person == people[1].pk


def test_reviewers_are_named_with_the_request(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bento = world.bento(world.version())
    become(world, "Ada", live_server.url, monkeypatch)
    command = ["release", "request", f"risk/churn:{bento.version.number}"]
    more = ["--environment", "staging", "--reviewer", "Rex risk", "--reviewer", "Rita risk"]
    assert main([*command, *more, "--review-days", "3"]) == 0
    assert ReviewRequest.objects.filter(due_at__gt=now() + timedelta(days=2)).count() == 2


def test_an_environment_says_how_long_reviewers_have_where_nothing_is_said(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    become(world, "Otto", live_server.url, monkeypatch)
    edit = ["environment", "edit", "risk/staging", "-o", "json", "--review-days"]
    assert main([*edit, "91"]) == 1
    assert "from 1 to 90 days" in " ".join(capsys.readouterr().err.split())
    for days, said in (("3", 3), ("0", None), ("3", 3)):
        assert main([*edit, days]) == 0
        assert answer(capsys)["review_days"] == said
    release = world.request("staging")
    become(world, "Ada", live_server.url, monkeypatch)
    assert main([*edit, "1"]) == 3
    assert main(["release", "ask", release.pk, "Rita risk"]) == 0
    assert ReviewRequest.objects.filter(due_at__gt=now() + timedelta(days=2)).count() == 1
    assert main(["release", "ask", release.pk, "Rita risk", "--review-days", "0"]) == 0
    assert ReviewRequest.objects.get().due_at is None


def test_who_is_away_names_a_deputy_and_comes_back(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    become(world, "Rita", live_server.url, monkeypatch)
    assert main(["away", "show"]) == 0
    assert capsys.readouterr().out.startswith("These can stand in for you:\n")
    till = f"{now() + timedelta(days=3):%Y-%m-%d}"
    assert main(["away", "set", "Rex risk", "--until", till]) == 0
    assert main(["away", "show", "-o", "json"]) == 0
    capsys.readouterr()
    assert main(["away", "clear"]) == 0
    assert Absence.objects.get().cleared_at is not None
