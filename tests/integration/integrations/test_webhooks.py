"""Webhooks to real receivers: each event on its own, signed so that strangers' libraries accept it,
again until a day is over."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from apps.audit.models import Event
from apps.audit.queries import log_size
from apps.identity.events import PROJECT_UPDATED
from apps.integrations import actions, telling
from apps.integrations.errors import RotatedOften
from apps.integrations.models import Webhook, WebhookAttempt, WebhookDelivery
from apps.integrations.standing import delivery_words, fault_words, standing_of
from apps.jobs.actions import enqueue
from apps.monitoring.actions import mail
from apps.monitoring.models import Alert, AlertState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet.kernel.keystore import ensure_keys, opening_keys
from tests.integration.integrations.conftest import Hooks
from tests.support import factories
from tests.support.receivers import Receiver
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
DOWN = (500, {}, b"out of order")


def every(receiver: Receiver) -> list[tuple[dict[str, str], bytes]]:
    """Return header and body of all that was accepted."""
    return list(zip(receiver.headers, receiver.bodies, strict=True))


def accepts_key(public: str, headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a receiver that has the public key accepts a message."""
    import base64

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for one in headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        try:
            if version == "v1a":
                key.verify(base64.b64decode(signature), content)
                return True
        except InvalidSignature:
            continue
    return False


def accepts_secret(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a receiver that has the secret accepts a message."""
    try:
        Verifier(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("pk").values_list("state", flat=True))


def kinds_of(hook: Webhook) -> list[str]:
    """Return what happened to a webhook, in order."""
    rows = Event.objects.filter(subject=hook.pk).order_by("index")
    return [kind.split(".")[1] for kind in rows.values_list("kind", flat=True)]


def test_each_event_arrives_once_as_a_signed_cloudevent(hooks: Hooks, receiver: Receiver) -> None:
    given = hooks.hook(receiver.url)
    hooks.feed.log(20)
    size = log_size()
    hooks.go()
    found = every(receiver)
    assert len(found) == 20 + 2, "those that say that it was added and enabled among them"
    for headers, body in found:
        assert accepts_secret(given.secret, headers, body)
        assert accepts_key(given.webhook.public_key, headers, body)
        assert not accepts_secret(given.secret, headers, body + b" ")
        told = from_http_event(HTTPMessage(headers, body), JSONFormat())
        event = Event.objects.get(index=int(told.get_id()))
        assert told.get_type() == f"dev.placet.{event.kind}"
        assert (told.get_subject(), told.get_data()) == (event.subject, json.loads(event.body))
        assert headers["Content-Type"].startswith("application/cloudevents+json")
    assert len({headers["webhook-id"] for headers, _ in found}) == 22
    assert log_size() == size, "a delivery leaves no event"
    hooks.go()
    assert len(receiver.bodies) == 22
    assert set(states()) == {"delivered"}
    assert_log_rebuilds_every_row()


def test_a_webhook_is_told_of_its_groups_and_its_project_alone(
    hooks: Hooks, receiver: Receiver
) -> None:
    other = factories.project("other")
    hooks.hook(receiver.url, "people", project=hooks.feed.project)
    hooks.feed.log(2)
    hooks.feed.log(2, other)
    hooks.go()
    assert [json.loads(body)["type"] for body in receiver.bodies] == [
        f"dev.placet.{PROJECT_UPDATED.name}"
    ] * 2
    assert {json.loads(body)["data"]["project"] for body in receiver.bodies} == {
        hooks.feed.project.pk
    }
    assert Webhook.objects.get().cursor == log_size()


def test_what_fails_comes_again_under_its_id_and_holds_up_nothing(
    hooks: Hooks, receiver: Receiver
) -> None:
    given = hooks.hook(receiver.url)
    receiver.replies = [DOWN]
    hooks.go()
    assert sorted(states()) == ["delivered", "waiting"]
    waits = WebhookDelivery.objects.get(state="waiting")
    assert (waits.status, waits.fault, waits.attempts) == (500, "answered", 1)
    WebhookDelivery.objects.filter(pk=waits.pk).update(next_at=now() + timedelta(hours=1))
    hooks.go()
    assert len(receiver.headers) == 2, "not before its time"
    hooks.later(hours=2)
    assert states() == ["delivered"] * 2
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert ids.count(waits.pk) == 2
    headers, body = receiver.headers[-1], receiver.bodies[-1]
    assert accepts_secret(given.secret, headers, body)
    first, second = WebhookAttempt.objects.filter(delivery=waits).order_by("pk")
    assert (first.number, first.status, first.answer) == (1, 500, "out of order")
    assert (second.number, second.status, second.fault) == (2, 200, "")
    assert set(first.headers) == {
        "Content-Type",
        "User-Agent",
        "webhook-id",
        "webhook-timestamp",
    }


def test_pauses_grow_until_a_day_is_over(hooks: Hooks, receiver: Receiver) -> None:
    hooks.hook(receiver.url, "recalls")
    Webhook.objects.update(groups=["log"])
    receiver.always = DOWN
    hooks.go()
    WebhookDelivery.objects.exclude(pk=WebhookDelivery.objects.earliest("pk").pk).delete()
    pauses = []
    while (row := WebhookDelivery.objects.get()).state == "waiting":
        pauses.append((row.next_at - now()).total_seconds())
        hooks.later(seconds=pauses[-1] + 1)
    assert pauses[:7] == sorted(pauses[:7]) and pauses[0] < 7
    assert all(3 * 3600 < pause < 5 * 3600 for pause in pauses[7:])
    assert 8 <= row.attempts <= 14
    assert (row.state, row.fault, row.dropped) == ("failed", "answered", "")
    assert row.asked_at > now() - timedelta(days=1, hours=1)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("60", 60, 61), ("0", 4, 6), ("999999999999", 21599, 21601), ("nonsense", 4, 6)],
)
def test_a_receiver_may_ask_for_patience_within_bounds(
    hooks: Hooks, receiver: Receiver, said: str, least: float, most: float
) -> None:
    hooks.hook(receiver.url, "log")
    receiver.always = (429, {"Retry-After": said}, b"")
    hooks.go()
    row = WebhookDelivery.objects.latest("pk")
    assert least - 1 <= (row.next_at - now()).total_seconds() <= most


def test_who_is_gone_is_disabled_at_once_and_enabled_by_a_person_again(
    hooks: Hooks, receiver: Receiver
) -> None:
    given = hooks.hook(receiver.url)
    receiver.always = (410, {}, b"")
    hooks.go()
    hook = Webhook.objects.get()
    assert (hook.state, hook.reason, hook.disabled_by) == ("disabled", "gone", "system")
    assert kinds_of(hook) == ["added", "enabled", "disabled"]
    assert set(states()) == {"failed"}
    telling.watch()
    alert = Alert.objects.get()
    assert (alert.kind, alert.about, alert.state) == ("webhook_disabled", hook.pk, "open")
    assert "410" in alert.summary and "hook" not in alert.summary
    assert mail.text(alert, AlertState.OPEN).startswith(f"Webhook was disabled: {hook.pk}\n")
    receiver.always = (200, {}, b"")
    hooks.feed.log(3)
    hooks.go()
    assert not receiver.bodies, "what happens meanwhile is not made up for"
    actions.enable_webhook(hook, if_generation=hook.generation, actor=SYSTEM)
    hooks.go()
    assert [json.loads(body)["type"] for body in receiver.bodies] == [
        "dev.placet.webhook.enabled.v1"
    ]
    telling.watch()
    assert Alert.objects.get().state == "resolved"
    assert accepts_secret(given.secret, receiver.headers[-1], receiver.bodies[-1])


def test_days_of_nothing_but_failure_disable(hooks: Hooks, receiver: Receiver) -> None:
    hooks.hook(receiver.url)
    receiver.always = DOWN
    hooks.go()
    hooks.later(days=2)
    assert Webhook.objects.get().state == "enabled", "some deliveries were given up, and no more"
    assert set(states()) == {"failed"}
    hooks.feed.log(1)
    Webhook.objects.update(failing_since=now() - timedelta(days=3, hours=1))
    hooks.go()
    assert Webhook.objects.get().state == "enabled", "the newest is still tried for a day"
    hooks.later(days=1)
    hook = Webhook.objects.get()
    assert (hook.state, hook.reason) == ("disabled", "failing")
    telling.watch()
    assert Alert.objects.get().summary.startswith("Nothing was delivered for days (it answers 500)")


def test_one_that_gets_through_ends_the_days_of_failure(hooks: Hooks, receiver: Receiver) -> None:
    hooks.hook(receiver.url)
    receiver.always = DOWN
    hooks.go()
    Webhook.objects.update(failing_since=now() - timedelta(days=30))
    receiver.always = (204, {}, b"")
    hooks.later(seconds=10)
    hook = Webhook.objects.get()
    assert (hook.state, hook.failing_since) == ("enabled", None)


def test_what_was_claimed_goes_where_it_was_approved_for(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = hooks.hook(receiver.url, "log").webhook
    claim, moved = actions.claim, "https://localhost:9/elsewhere"

    def then_moved(*args: Any, **more: Any) -> list[WebhookDelivery]:
        rows = claim(*args, **more)
        monkeypatch.setattr(actions, "claim", claim)
        actions.change_webhook(hook, url=moved, if_generation=hook.generation, actor=SYSTEM)
        return rows

    monkeypatch.setattr(actions, "claim", then_moved)
    enqueue("integrations.spread")
    hooks.run_jobs("control")
    assert Webhook.objects.get().origin == "https://localhost:9"
    assert receiver.bodies, "what was on its way has arrived"
    assert states()[:2] == ["delivered"] * 2


def test_an_address_that_is_gone_does_not_disable_the_next_one(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = hooks.hook(receiver.url, "log").webhook
    called = actions.called

    def after_a_move(*args: Any, **more: Any) -> bool:
        monkeypatch.setattr(actions, "called", called)
        new, seen = receiver.url + "/new", Webhook.objects.get().generation
        actions.change_webhook(hook, url=new, if_generation=seen, actor=SYSTEM)
        return called(*args, **more)

    monkeypatch.setattr(actions, "called", after_a_move)
    receiver.always = (410, {}, b"")
    enqueue("integrations.spread")
    hooks.run_jobs("control")
    moved = Webhook.objects.get()
    assert (moved.state, moved.failing_since) == ("enabled", None)
    assert set(states()) == {"failed"}
    hooks.go()
    assert Webhook.objects.get().reason == "gone", "but the new one, when it says so itself"


def test_what_nobody_sends_any_more_is_given_up_with_the_webhook(
    hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.hook(receiver.url, "log").webhook
    hooks.go()
    gone, alive = WebhookDelivery.objects.order_by("pk")[:2]
    for row, lease in ((gone, -1), (alive, 30)):
        row.state, row.lease_until = "sending", now() + timedelta(seconds=lease)
        row.save()
    actions.disable_webhook(hook, actor=SYSTEM)
    assert states()[:2] == ["failed", "sending"]
    gone.refresh_from_db()
    said = "The webhook was disabled before it was delivered"
    assert (gone.dropped, delivery_words(gone)) == ("disabled", said)


def test_after_a_rotation_old_and_new_secret_are_good_for_a_day(
    hooks: Hooks, receiver: Receiver
) -> None:
    old = hooks.hook(receiver.url)
    new = actions.rotate_webhook(old.webhook, actor=SYSTEM)
    assert new.secret != old.secret and new.webhook.public_key != old.webhook.public_key
    hooks.go()
    for headers, body in every(receiver):
        for given in (old, new):
            assert accepts_secret(given.secret, headers, body)
            assert accepts_key(given.webhook.public_key, headers, body)
    Webhook.objects.update(former_until=now())
    receiver.bodies.clear()
    receiver.headers.clear()
    hooks.feed.log(1)
    hooks.go()
    ((headers, body),) = every(receiver)
    assert accepts_secret(new.secret, headers, body)
    assert not accepts_secret(old.secret, headers, body)
    assert not accepts_key(old.webhook.public_key, headers, body)


def test_each_of_several_rotations_leaves_what_was_good_its_day(
    hooks: Hooks, receiver: Receiver
) -> None:
    """Who lost a secret that was shown once rotates again, while receivers have the first one."""
    hook = hooks.hook(receiver.url)
    given = [hook, *(actions.rotate_webhook(hook.webhook, actor=SYSTEM) for _ in range(3))]
    hooks.go()
    for headers, body in every(receiver):
        assert all(accepts_secret(one.secret, headers, body) for one in given)
        assert all(accepts_key(one.webhook.public_key, headers, body) for one in given)
    with pytest.raises(
        RotatedOften, match="3 former secrets still sign beside it: rotate it again"
    ):
        actions.rotate_webhook(hook.webhook, actor=SYSTEM)
    row = Webhook.objects.get()
    row.older_formers[-1]["until"] = rfc3339(now())
    row.save()
    given.append(actions.rotate_webhook(hook.webhook, actor=SYSTEM))
    hooks.feed.log(1)
    hooks.go()
    headers, body = every(receiver)[-1]
    assert not accepts_secret(given[0].secret, headers, body)
    assert all(accepts_secret(one.secret, headers, body) for one in given[1:])
    assert_log_rebuilds_every_row()


def test_what_the_last_attempt_came_to_is_known_until_one_gets_through(
    hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.hook(receiver.url, "people").webhook

    def tested(reply: Any) -> Webhook:
        receiver.replies = [reply]
        actions.ask_for_webhook_test(hook, actor=SYSTEM)
        hooks.go()
        return Webhook.objects.get()

    tried = tested(DOWN)
    assert (fault_words(tried), standing_of(tried)) == ("It answers 500", "last_attempt_failed")
    hooks.feed.log(1)
    hooks.go()
    assert Webhook.objects.get().fault == ""
    assert tested(DOWN).fault
    moved = actions.change_webhook(hook, url=f"{receiver.url}2", if_generation=0, actor=SYSTEM)
    assert moved.fault == "", "it was of another address"
    assert_log_rebuilds_every_row()


def test_a_test_holds_nothing_of_the_log_and_is_sent_once(hooks: Hooks, receiver: Receiver) -> None:
    given = hooks.hook(receiver.url)
    actions.disable_webhook(given.webhook, actor=SYSTEM)
    made = actions.ask_for_webhook_test(given.webhook, actor=SYSTEM)
    assert actions.ask_for_webhook_test(given.webhook, actor=SYSTEM).pk == made.pk
    receiver.replies = [DOWN]
    hooks.run_jobs("control")
    made.refresh_from_db()
    assert (made.state, made.status) == ("failed", 500)
    again = actions.ask_for_webhook_test(given.webhook, actor=SYSTEM)
    hooks.run_jobs("control")
    again.refresh_from_db()
    assert again.state == "delivered"
    ((headers, body),) = list(zip(receiver.headers[1:], receiver.bodies, strict=True))
    assert accepts_secret(given.secret, headers, body)
    told = json.loads(body)
    assert (told["type"], told["data"], told["id"]) == ("dev.placet.test.v1", {}, again.pk)
    assert Webhook.objects.get().failing_since is None


def test_what_was_delivered_is_sent_again_under_its_id(hooks: Hooks, receiver: Receiver) -> None:
    hooks.hook(receiver.url)
    hooks.go()
    first = WebhookDelivery.objects.earliest("pk")
    actions.redeliver(first, actor=SYSTEM)
    actions.redeliver(first, actor=SYSTEM)
    hooks.run_jobs("control")
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert ids.count(first.pk) == 2
    bodies = [body for headers, body in every(receiver) if headers["webhook-id"] == first.pk]
    assert bodies[0] == bodies[1]


def test_a_secret_key_that_was_lost_is_said_in_words(
    hooks: Hooks, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.hook(receiver.url, "log")
    ensure_keys(tmp_path / "others")
    mine = tmp_path / "mine"
    shutil.copytree(config().keys, mine)
    for name in ("secret.key", "secret.pub"):
        shutil.copy(tmp_path / "others" / name, mine / name)
    monkeypatch.setattr(config(), "keys_dir", mine)
    hooks.go()
    row = WebhookDelivery.objects.latest("pk")
    assert row.state == "waiting" and not receiver.headers
    assert fault_words(row) == "Its address or secret cannot be read"
    assert row.detail.startswith("It was encrypted for key")
    monkeypatch.undo()


def test_after_a_rotation_of_the_secret_key_the_old_one_can_go(
    hooks: Hooks, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(config().keys, tmp_path / "keys")
    monkeypatch.setattr(config(), "keys_dir", tmp_path / "keys")
    first = hooks.hook(receiver.url)
    given = [first, *(actions.rotate_webhook(first.webhook, actor=SYSTEM) for _ in range(2))]
    before = Webhook.objects.get()
    retire = ("keys", "--folder", str(tmp_path / "keys"), "retire")
    call_command("keys", "--folder", str(tmp_path / "keys"), "rotate", "secret")
    with pytest.raises(CommandError, match="still encrypted for a former key: 1\\."):
        call_command(*retire)
    enqueue("integrations.reseal")
    hooks.run_jobs("control")
    call_command(*retire)
    assert len(opening_keys().keys) == 1
    hook = Webhook.objects.get()
    assert (hook.generation, hook.cursor) == (before.generation, before.cursor)
    hooks.go()
    for headers, body in every(receiver):
        assert all(accepts_secret(one.secret, headers, body) for one in given)
    assert receiver.headers
    enqueue("integrations.reseal")
    hooks.run_jobs("control")
    assert Webhook.objects.get().signing == hook.signing, "what is encrypted for it stays"
    assert_log_rebuilds_every_row()


def test_what_signs_no_more_is_forgotten_and_what_does_not_open_is_left(
    hooks: Hooks, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hooks.hook(receiver.url, name="one"), hooks.hook(receiver.url, name="two")
    for _ in range(2):
        actions.rotate_webhook(two.webhook, actor=SYSTEM)
    row = Webhook.objects.get(pk=two.webhook.pk)
    row.former_until = now()
    row.older_formers[0]["until"] = rfc3339(now())
    row.save()
    Webhook.objects.filter(pk=one.webhook.pk).update(address="v1.0123456789abcdef.AAAA")
    enqueue("integrations.reseal")
    hooks.run_jobs("control")
    row.refresh_from_db()
    assert (row.former_signing, row.older_formers) == ("", [])
    assert Webhook.objects.get(pk=one.webhook.pk).address == "v1.0123456789abcdef.AAAA"


def test_a_moved_secret_does_not_open(hooks: Hooks, receiver: Receiver) -> None:
    """Who writes to the database has no events sent with another webhook's secret."""
    one, two = hooks.hook(receiver.url, name="one"), hooks.hook(receiver.url, name="two")
    Webhook.objects.filter(pk=one.webhook.pk).update(
        signing=Webhook.objects.get(pk=two.webhook.pk).signing
    )
    hooks.go()
    row = WebhookDelivery.objects.filter(webhook=one.webhook).latest("pk")
    assert "belongs to something else" in row.detail


def test_no_secret_is_in_any_table_log_or_text(
    hooks: Hooks, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    from django.core.serializers import serialize

    url = receiver.url + "/T0KEN-in-the-path?key=also-secret"
    receiver.always = (500, {}, f"no such path: {url}".encode())
    given = hooks.hook(url, "log")
    second = actions.rotate_webhook(given.webhook, actor=SYSTEM)
    hooks.go()
    assert receiver.headers
    tables = "".join(
        serialize("json", model.objects.all())
        for model in (Webhook, WebhookDelivery, WebhookAttempt, Event)
    )
    for told in (tables, caplog.text, repr(given), repr(second), str(given.webhook.__dict__)):
        for secret in ("T0KEN-in-the-path", "also-secret", given.secret[6:], second.secret[6:]):
            assert secret not in told
    for headers in receiver.headers:
        for one in headers["webhook-signature"].split():
            assert one.split(",")[1] not in tables


def test_deliveries_are_kept_in_number_and_days(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, run_jobs: Callable[..., int]
) -> None:
    from apps.integrations.actions import calls

    monkeypatch.setattr(calls, "KEPT", 5)
    hooks.hook(receiver.url)
    hooks.feed.log(10)
    hooks.go()
    newest = list(WebhookDelivery.objects.order_by("-pk").values_list("pk", flat=True)[:5])
    enqueue("integrations.prune")
    run_jobs("control")
    assert list(WebhookDelivery.objects.order_by("-pk").values_list("pk", flat=True)) == newest
    old = WebhookDelivery.objects.filter(pk__in=newest[3:])
    old.update(asked_at=now() - timedelta(days=15))
    enqueue("integrations.prune")
    run_jobs("control")
    assert list(WebhookDelivery.objects.order_by("-pk").values_list("pk", flat=True)) == newest[:3]


def test_a_receiver_that_is_away_keeps_a_bounded_number_waiting(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read on when some of them are settled: nothing is left out."""
    from apps.integrations.actions import calls

    monkeypatch.setattr(calls, "MOST_WAITING", 4)
    hooks.hook(receiver.url)
    hooks.feed.log(10)
    receiver.always = DOWN
    hooks.go()
    assert states() == ["waiting"] * 4
    receiver.always = (200, {}, b"")
    for _ in range(4):
        hooks.later(hours=1)
    told = sorted(int(json.loads(body)["id"]) for body in receiver.bodies)
    assert told == list(range(log_size() - 12, log_size()))
