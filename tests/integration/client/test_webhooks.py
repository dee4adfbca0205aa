"""Webhooks from the command line."""

import io
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from apps.integrations.models import Webhook, WebhookDelivery
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import answer, become
from tests.support.processes import until
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://hooks.example/T0KEN"
SLACK = "https://hooks.slack.com/services/T0/B0/T0KEN"


@pytest.fixture
def ann(world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line is Ann's, who administers and audits."""
    world.people["Ann"] = factories.person("Ann", {"admin": None, "auditor": None})
    become(world, "Ann", live_server.url, monkeypatch)
    return world


def test_a_webhook_from_its_beginning_to_its_end(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["webhook", "add", "hook", URL, "--group", "releases", "--group", "serving"]
    assert main([*words, "--project", "risk", "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["state"], made["groups"]) == ("enabled", ["releases", "serving"])
    assert made["secret"].startswith("whsec_")
    assert main([*words, "--project", "risk"]) == 6
    assert "taken" in capsys.readouterr().err
    assert main(["webhook", "add", "x", "http://hooks.example"]) == 1
    assert "https://" in capsys.readouterr().err
    assert main(["webhook", "edit", "hook", "--all", "-o", "json"]) == 0
    assert answer(capsys)["groups"] == []
    assert main(["webhook", "edit", "hook", "--url", "https://new.example/x", "-o", "json"]) == 0
    assert answer(capsys)["origin"] == "https://new.example"
    assert main(["webhook", "rotate", "risk/hook"]) == 0
    out = capsys.readouterr().out
    assert "whsec_" in out and made["secret"] not in out
    assert main(["webhook", "disable", "hook", "-o", "json"]) == 0
    assert answer(capsys)["reason"] == "asked"
    assert main(["webhook", "show", "hook", "-o", "json"]) == 0
    seen = answer(capsys)["etag"]
    assert main(["webhook", "edit", "hook", "--group", "serving"]) == 0
    assert main(["webhook", "enable", "hook", "--seen", seen]) != 0
    assert Webhook.objects.get().state == "disabled"
    assert main(["webhook", "enable", "hook"]) == 2
    assert main(["webhook", "show", "hook"]) == 0
    capsys.readouterr()
    assert main(["webhook", "show", "hook", "-o", "json"]) == 0
    seen = answer(capsys)["etag"]
    assert main(["webhook", "enable", made["id"], "--seen", seen, "-o", "json"]) == 0
    assert answer(capsys)["state"] == "enabled"
    assert main(["webhook", "list", "-o", "json"]) == 0
    assert [row["name"] for row in answer(capsys)] == ["hook"]
    assert main(["webhook", "show", "hook"]) == 0
    shown = capsys.readouterr().out
    assert "new.example" in shown and "whsec_" not in shown and "T0KEN" not in shown
    assert main(["webhook", "show", "other"]) == 1
    assert "no webhook called other" in capsys.readouterr().err
    assert main(["webhook", "remove", "hook"]) == 0
    assert not Webhook.objects.exists()


def pipe(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a line come from standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


def test_a_channel_of_a_chat_is_added_by_the_name_of_the_chat(
    ann: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(SLACK, monkeypatch)
    assert main(["webhook", "add", "first", "--service", "slack"]) == 0
    assert "secret" not in capsys.readouterr().out
    pipe(SLACK, monkeypatch)
    assert main(["webhook", "add", "team", "-", "--service", "slack", "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["service"], made["origin"]) == ("slack", "https://hooks.slack.com")
    assert made["secret"] == "" and "/T0KEN" not in str(made)
    pipe(SLACK, monkeypatch)
    assert main(["webhook", "add", "x", "-", "--service", "telegram"]) == 1
    assert "standard, slack, teams" in capsys.readouterr().err
    pipe(URL, monkeypatch)
    assert main(["webhook", "add", "x", "-", "--service", "slack"]) == 1
    said = capsys.readouterr().err
    assert "Paste the address that Slack gives" in said and "T0KEN" not in said
    assert main(["webhook", "rotate", "team"]) == 6
    assert "chat" in capsys.readouterr().err
    assert main(["webhook", "show", "team"]) == 0
    assert "T0KEN" not in capsys.readouterr().out


def test_the_address_of_a_chat_is_no_argument(
    ann: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["webhook", "add", "team", SLACK, "--service", "slack"]) == 2
    said = capsys.readouterr().err
    assert "the address of a chat is a secret" in " ".join(said.split()) and "T0KEN" not in said
    assert not Webhook.objects.exists()
    pipe(SLACK, monkeypatch)
    assert main(["webhook", "add", "team", "-", "--service", "slack"]) == 0
    before = Webhook.objects.get().address
    assert main(["webhook", "edit", "team", "--url", f"{SLACK}2"]) == 2
    assert Webhook.objects.get().address == before
    pipe(f"{SLACK}2", monkeypatch)
    assert main(["webhook", "edit", "team", "--url", "-"]) == 0
    assert Webhook.objects.get().address != before


def test_who_gives_no_address_is_asked_for_it_and_sees_nothing_of_it(
    ann: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[dict[str, object]] = []

    def prompt(text: str, **ways: object) -> str:
        asked.append(ways)
        return f" {SLACK}\n"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.prompt", prompt)
    assert main(["webhook", "add", "team", "--service", "slack"]) == 0
    assert [ways["hide_input"] for ways in asked] == [True]
    printed = capsys.readouterr()
    assert "T0KEN" not in printed.out + printed.err
    pipe("", monkeypatch)
    assert main(["webhook", "add", "hook"]) == 2
    assert "nothing came from standard input" in capsys.readouterr().err
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(["webhook", "add", "hook"]) == 2
    assert Webhook.objects.count() == 1


def test_webhooks_with_one_name_are_told_apart(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.project("lab")
    for project in ("risk", "lab"):
        assert main(["webhook", "add", "hook", URL, "--project", project]) == 0
    capsys.readouterr()
    assert main(["webhook", "show", "hook"]) == 1
    assert "lab/hook, risk/hook" in capsys.readouterr().err
    assert main(["webhook", "add", "hook", URL]) == 0
    capsys.readouterr()
    assert main(["webhook", "show", "hook", "-o", "json"]) == 0
    assert answer(capsys)["project"] is None


@pytest.mark.parametrize(
    ("state", "fault", "code"), [("delivered", "", 0), ("failed", "answered", 1)]
)
def test_a_test_waits_for_its_result(
    ann: World, capsys: pytest.CaptureFixture[str], state: str, fault: str, code: int
) -> None:
    assert main(["webhook", "add", "hook", URL]) == 0
    capsys.readouterr()

    def worker() -> None:
        try:
            until(lambda: WebhookDelivery.objects.exists(), what="the test")
            WebhookDelivery.objects.update(
                state=state, fault=fault, status=500 if fault else 200, attempts=1
            )
        finally:
            connection.close()

    thread = Thread(target=worker)
    thread.start()
    assert main(["webhook", "test", "hook"]) == code
    thread.join()
    assert ("It answers 500" in capsys.readouterr().err) == bool(fault)


def test_what_was_sent_is_listed_and_sent_again(
    ann: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["webhook", "add", "hook", URL]) == 0
    hook = Webhook.objects.get()
    sent = WebhookDelivery.objects.create(
        webhook=hook,
        index=0,
        kind="x.v1",
        state="failed",
        created_at=now(),
        asked_at=now(),
        next_at=now(),
        fault="answered",
        status=500,
    )
    capsys.readouterr()
    assert main(["webhook", "deliveries", "hook", "--state", "failed", "-o", "json"]) == 0
    assert [row["id"] for row in answer(capsys)] == [sent.pk]
    assert main(["webhook", "redeliver", "hook", sent.pk, "-o", "json"]) == 0
    assert answer(capsys)["state"] == "waiting"
    assert main(["webhook", "delivery", "hook", sent.pk]) == 0
    assert sent.pk in capsys.readouterr().out
    assert main(["export", "webhooks", str(tmp_path / "hooks.csv")]) == 0
    text = (tmp_path / "hooks.csv").read_text()
    assert "hooks.example" in text and "T0KEN" not in text


def test_a_table_says_what_is_wrong_in_words_and_names_every_former_key(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook", "add", "hook", URL, "-o", "json"]) == 0
    keys = [answer(capsys)["public_key"]]
    for _ in range(3):
        assert main(["webhook", "rotate", "hook", "-o", "json"]) == 0
        keys.append(answer(capsys)["public_key"])
    Webhook.objects.update(fault="answered", status=500)
    at = now()
    WebhookDelivery.objects.create(
        webhook=Webhook.objects.get(),
        kind="test.v1",
        created_at=at,
        asked_at=at,
        next_at=at,
        state="failed",
        attempts=1,
        fault="no_connection",
    )
    assert main(["webhook", "show", "hook"]) == 0
    shown = capsys.readouterr().out
    assert "last attempt failed" in shown and "It answers 500" in shown
    assert all(f"{key} until 20" in shown for key in keys[:3])
    assert "former public key" not in shown
    assert main(["webhook", "deliveries", "hook"]) == 0
    listed = capsys.readouterr().out
    assert "no answer" in listed and "No connection" in listed
    assert main(["webhook", "list"]) == 0
    assert "last attempt failed" in capsys.readouterr().out


def test_what_is_tried_again_is_retrying_and_what_is_disabled_fails_no_more(
    ann: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook", "add", "hook", URL]) == 0
    at = now()
    WebhookDelivery.objects.create(
        webhook=Webhook.objects.get(),
        index=0,
        kind="x.v1",
        created_at=at,
        asked_at=at,
        next_at=at,
        attempts=1,
        tries=1,
        fault="no_connection",
    )
    Webhook.objects.update(failing_since=at)
    capsys.readouterr()
    assert main(["webhook", "list"]) == 0
    assert "retrying" in capsys.readouterr().out
    assert main(["webhook", "deliveries", "hook", "--state", "retrying"]) == 0
    assert "retrying" in capsys.readouterr().out
    assert main(["webhook", "deliveries", "hook", "--state", "waiting", "-o", "json"]) == 0
    assert answer(capsys) == []
    assert main(["webhook", "disable", "hook", "-o", "json"]) == 0
    shown = answer(capsys)
    assert (shown["state"], shown["failing_since"]) == ("disabled", None)
    assert shown["disabled_at"] and "(role auditor) has to enable it" in shown["to_enable"]
    assert main(["webhook", "deliveries", "hook"]) == 0
    said = "No connection. The webhook was disabled before it was delivered"
    assert said in capsys.readouterr().out


def test_who_may_not_enable_a_webhook_is_told_that_it_is_not_and_who_does(
    ann: World,
    capsys: pytest.CaptureFixture[str],
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann.people["Mo"] = factories.person("Mo", {"admin": None})
    become(ann, "Mo", live_server.url, monkeypatch)
    assert main(["webhook", "add", "hook", URL]) == 0
    printed = capsys.readouterr()
    assert "not enabled" in printed.out
    said = " ".join(printed.err.split())
    assert "told of nothing. Someone with permission to export the whole log" in said
    assert f"placet webhook enable {Webhook.objects.get().pk} --seen" in said
