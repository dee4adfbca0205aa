"""Setting webhooks up over REST: who may, what is refused, what is shown once, and what the log
says of it."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.audit.models import Event
from apps.identity.errors import NameTaken
from apps.identity.models import User
from apps.integrations.actions import add_webhook, enable_webhook
from apps.integrations.events import WEBHOOK_CHANGED
from apps.integrations.models import Webhook, WebhookDelivery
from apps.integrations.rules import WebhookTerms
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet.kernel.problems import Stale
from tests.integration.integrations.conftest import Hooks
from tests.support import factories
from tests.support.factories import actor_of, api
from tests.support.meeting import at_once
from tests.support.receivers import Receiver
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = pytest.mark.django_db
GOOD = {"name": "hook", "url": "https://hooks.example/in/T0KEN?key=K3Y"}


@pytest.fixture
def ann() -> User:
    """Who administers, and may not read the log."""
    return factories.person("Ann", {"admin": None})


@pytest.fixture
def aude() -> User:
    """Who audits."""
    return factories.person("Aude", {"auditor": None})


@pytest.fixture
def both() -> User:
    """Who does both."""
    return factories.person("Both", {"admin": None, "auditor": None})


def add(who: User, **terms: Any) -> Any:
    return api(who).post("/webhooks", {**GOOD, **terms})


def change(who: User, hook: dict[str, Any], **terms: Any) -> Any:
    path = f"/webhooks/{hook['id']}"
    tag = api(who).get(path)["ETag"]
    return api(who).patch(path, terms, if_match=tag)


def enable(who: User, hook: dict[str, Any]) -> Any:
    path = f"/webhooks/{hook['id']}"
    return api(who).post(f"{path}/enable", if_match=api(who).get(path)["ETag"])


def told(page: Client, path: str, **form: str) -> str:
    """Send a form of a page; return what the next page says on top."""
    answer = page.post(path, form)
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def fields(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code in (400, 409), answer.content
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def test_who_may_not_read_the_log_cannot_have_it_told_to_themselves(
    hooks: Hooks, ann: User, aude: User, receiver: Receiver
) -> None:
    made = add(ann, url=receiver.url)
    assert made.status_code == 201
    hook = made.json()
    assert (hook["state"], hook["reason"], hook["enabled_by"]) == ("not_enabled", "", "")
    who = "Someone with permission to export the whole log (role auditor) has to enable it"
    assert (hook["to_enable"], hook["disabled_at"]) == (who, None)
    hooks.go()
    assert not receiver.headers
    path = f"/webhooks/{hook['id']}"
    assert enable(ann, hook).status_code == 403
    begun = enable(aude, hook).json()
    assert (begun["state"], begun["enabled_by"], begun["to_enable"]) == ("enabled", aude.pk, "")
    assert enable(aude, hook).json()["code"] == "webhook_moved"
    hooks.go()
    assert len(receiver.bodies) == 1
    found = api(aude).get(f"{path}/deliveries?state=delivered").json()["items"]
    assert [one["kind"] for one in found] == ["webhook.enabled.v1"]
    detail = api(aude).get(f"{path}/deliveries/{found[0]['id']}").json()
    assert [one["status"] for one in detail["last_attempts"]] == [200]
    assert api(aude).post(f"{path}/disable").status_code == 403
    assert api(ann).post(f"{path}/disable").json()["reason"] == "asked"
    assert_log_rebuilds_every_row()


def test_who_audits_one_environment_sees_no_webhook_nor_stream_of_its_project(
    hooks: Hooks, receiver: Receiver
) -> None:
    project = hooks.feed.project
    both = factories.person("Pia", {"admin": project, "auditor": project})
    hook = add(both, url=receiver.url, project=project.slug).json()
    hooks.go()
    path = f"/webhooks/{hook['id']}"
    delivery = api(both).get(f"{path}/deliveries").json()["items"][0]["id"]
    sent_on = {"name": "siem", "kind": "jsonl", "url": "https://siem.example/in"}
    assert api(both).post("/streams", sent_on | {"project": project.slug}).status_code == 201
    partly = api(factories.person("Paul", {"auditor": (project, "staging")}))
    assert api(both).get("/streams").json()["items"]
    for listed in ("/webhooks", "/streams"):
        assert partly.get(listed).json()["items"] == []
    for hidden in (path, f"{path}/deliveries", f"{path}/deliveries/{delivery}"):
        assert api(both).get(hidden).status_code == 200
        assert partly.get(hidden).status_code == 404


def test_another_address_or_other_kinds_have_to_be_enabled_again(
    ann: User, both: User, receiver: Receiver, hooks: Hooks
) -> None:
    hook = add(both, groups=["releases"]).json()
    assert hook["state"] == "enabled"
    widened = change(ann, hook, groups=[])
    assert (widened.status_code, widened.json()["state"]) == (200, "disabled")
    assert (widened.json()["reason"], widened.json()["groups"]) == ("changed", [])
    enable(both, hook)
    moved = change(ann, hook, url="https://elsewhere.example:8443/x")
    assert (moved.json()["state"], moved.json()["origin"]) == (
        "disabled",
        "https://elsewhere.example:8443",
    )
    mine = change(both, hook, url=receiver.url).json()
    assert (mine["state"], mine["reason"]) == ("disabled", "changed")
    enable(both, hook)
    assert change(both, hook, groups=["log"]).json()["state"] == "enabled"
    assert change(both, hook, url=receiver.url).json()["state"] == "enabled"
    hooks.go()
    assert receiver.bodies
    stale = api(both).patch(f"/webhooks/{hook['id']}", {"groups": []}, if_match='"other"')
    assert stale.status_code == 412
    assert api(both).patch(f"/webhooks/{hook['id']}", {"groups": []}).status_code == 428


def test_it_is_enabled_by_who_last_had_a_right_to_let_it_go_where_it_goes(
    ann: User, both: User, aude: User
) -> None:
    hook = add(ann).json()
    assert enable(aude, hook).json()["enabled_by"] == aude.pk
    assert change(both, hook, url="https://elsewhere.example/x").json()["enabled_by"] == both.pk
    assert change(ann, hook, groups=["log"]).json()["enabled_by"] == both.pk
    assert enable(aude, hook).json()["enabled_by"] == aude.pk
    api(ann).post(f"/webhooks/{hook['id']}/disable")
    assert change(both, hook, groups=[]).json()["enabled_by"] == aude.pk
    assert enable(both, hook).json()["enabled_by"] == both.pk
    assert_log_rebuilds_every_row()


def test_what_went_to_an_address_is_not_sent_again_to_one_approved_for_less(
    ann: User, both: User, aude: User, receiver: Receiver, hooks: Hooks
) -> None:
    hook = add(both, url=receiver.url, groups=["log"]).json()
    hooks.go()
    path = f"/webhooks/{hook['id']}"
    kept = api(both).post(f"{path}/test").json()["id"]
    sent = WebhookDelivery.objects.exclude(index=None).latest("pk")
    assert change(ann, hook, url="https://elsewhere.example/x").json()["state"] == "disabled"
    enable(aude, hook)
    again = api(ann).post(f"{path}/deliveries/{sent.pk}/redeliver")
    assert again.status_code == 404
    assert [row.pk for row in WebhookDelivery.objects.all()] == [kept]


def test_what_an_auditor_saw_is_what_they_enable(ann: User, aude: User) -> None:
    hook = add(ann).json()
    path = f"/webhooks/{hook['id']}"
    seen = api(aude).get(path)["ETag"]
    change(ann, hook, url="https://elsewhere.example/x")
    refused = api(aude).post(f"{path}/enable", if_match=seen)
    assert (refused.status_code, refused.json()["code"]) == (412, "stale")
    assert api(aude).post(f"{path}/enable").status_code == 428
    with pytest.raises(Stale):
        enable_webhook(Webhook.objects.get(), if_generation=0, actor=actor_of(aude))
    page = factories.browser(aude)
    assert "changed in the meantime" in told(page, f"{path}/do/enable", generation="0")
    assert Webhook.objects.get().state == "disabled"
    assert "Enabled" in told(page, f"{path}/do/enable", generation="1")
    assert Webhook.objects.get().state == "enabled"


def test_who_may_not_do_it_is_not_told_first_that_the_webhook_changed(
    ann: User, aude: User
) -> None:
    path = f"/webhooks/{add(ann).json()['id']}"
    refused = [
        api(ann).post(f"{path}/enable", if_match='"other"'),
        api(aude).patch(path, {"groups": ["log"]}, if_match='"other"'),
        api(aude).delete(path, if_match='"other"'),
    ]
    assert [answer.status_code for answer in refused] == [403] * 3


def test_what_a_receiver_answers_is_read_by_who_may_read_what_it_was_sent(
    ann: User, aude: User, both: User, receiver: Receiver, hooks: Hooks
) -> None:
    hook = add(both, url=receiver.url, groups=["log"]).json()
    path = f"/webhooks/{hook['id']}"
    receiver.always = (500, {}, b'cannot parse {"actor": "per_7"}')
    hooks.go()
    sent = WebhookDelivery.objects.exclude(index=None).latest("pk")
    test = api(ann).post(f"{path}/test").json()["id"]
    hooks.run_jobs("control")
    for who, row, answer in (
        (ann, sent.pk, None),
        (aude, sent.pk, 'cannot parse {"actor": "per_7"}'),
        (ann, test, 'cannot parse {"actor": "per_7"}'),
    ):
        (tried,) = api(who).get(f"{path}/deliveries/{row}").json()["last_attempts"]
        assert (tried["answer"], tried["status"]) == (answer, 500)
        page = factories.browser(who).get(f"{path}/deliveries/{row}/").content.decode()
        assert ("cannot parse" in page) == (answer is not None)
        assert ("to those with permission to view the log" in page) == (answer is None)


def test_what_it_is_no_longer_told_of_is_not_sent_again(
    both: User, receiver: Receiver, hooks: Hooks
) -> None:
    hook = add(both, url=receiver.url, groups=["log"]).json()
    hooks.go()
    sent = WebhookDelivery.objects.latest("pk")
    assert change(both, hook, groups=["releases"]).json()["state"] == "enabled"
    again = api(both).post(f"/webhooks/{hook['id']}/deliveries/{sent.pk}/redeliver")
    assert (again.status_code, again.json()["code"]) == (409, "webhook_moved")
    assert "no longer told" in again.json()["detail"]
    sent.refresh_from_db()
    assert sent.state == "delivered"


def test_the_log_says_whether_the_address_was_changed(both: User) -> None:
    """Behind one host it may be another's: the host alone is shown."""
    hook = add(both).json()
    change(both, hook, url="https://hooks.example/in/0THER")
    change(both, hook, groups=["releases"])
    events = Event.objects.filter(kind="webhook.changed.v1").order_by("index")
    said = [WEBHOOK_CHANGED.line(json.loads(event.body)["data"]) for event in events]
    assert said == [
        "Changed a webhook, address changed",
        "Changed a webhook, address kept",
    ]


def test_secret_and_address_are_shown_once_and_never_again(both: User) -> None:
    made = add(both)
    hook = made.json()
    assert hook["secret"].startswith("whsec_") and hook["public_key"].startswith("whpk_")
    assert hook["origin"] == "https://hooks.example"
    again = api(both).post(f"/webhooks/{hook['id']}/rotate")
    assert [answer["Cache-Control"] for answer in (made, again)] == ["no-store"] * 2
    rotated = again.json()
    assert rotated["secret"] != hook["secret"]
    assert rotated["former_public_key"] == hook["public_key"] and rotated["former_until"]
    later = [
        api(both).get("/webhooks").content,
        api(both).get(f"/webhooks/{hook['id']}").content,
        *(body.encode() for body in Event.objects.values_list("body", flat=True)),
    ]
    for answer in later:
        for secret in (hook["secret"], rotated["secret"], "T0KEN", "K3Y"):
            assert secret.encode() not in answer


def test_all_former_keys_that_still_sign_are_shown_with_their_end(both: User) -> None:
    hook = add(both).json()
    keys = [hook["public_key"]]
    for _ in range(3):
        keys.append(api(both).post(f"/webhooks/{hook['id']}/rotate").json()["public_key"])
    row = Webhook.objects.get()
    row.older_formers[-1]["until"] = rfc3339(now())
    row.save()
    shown = api(both).get(f"/webhooks/{hook['id']}").json()
    assert [one["public_key"] for one in shown["former_keys"]] == [keys[2], keys[1]]
    assert all(datetime.fromisoformat(one["until"]) > now() for one in shown["former_keys"])


def test_it_is_said_who_disabled_a_webhook_until_it_is_enabled_again(both: User) -> None:
    hook = add(both).json()
    assert api(both).post(f"/webhooks/{hook['id']}/disable").json()["disabled_by"] == both.pk
    seen = api(both).get(f"/webhooks/{hook['id']}")["ETag"]
    enabled = api(both).post(f"/webhooks/{hook['id']}/enable", if_match=seen).json()
    assert (enabled["state"], enabled["disabled_by"]) == ("enabled", "")
    assert enabled["disabled_at"] is None


def test_what_is_disabled_does_not_fail_and_says_since_when(
    both: User, receiver: Receiver, hooks: Hooks
) -> None:
    hook = add(both, url=receiver.url, groups=["log"]).json()
    receiver.always = (500, {}, b"")
    hooks.go()
    path = f"/webhooks/{hook['id']}"
    page = factories.browser(both)
    failing = api(both).get(path).json()
    assert failing["state"] == "retrying" and failing["failing_since"]
    assert "Failing since" in page.get(f"{path}/").content.decode()
    (sent, *_) = api(both).get(f"{path}/deliveries?state=retrying").json()["items"]
    assert (sent["fault"], sent["error"], sent["dropped"]) == ("answered", "It answers 500", "")
    assert not api(both).get(f"{path}/deliveries?state=waiting").json()["items"]
    off = api(both).post(f"{path}/disable").json()
    assert (off["state"], off["failing_since"]) == ("disabled", None) and off["disabled_at"]
    shown = page.get(f"{path}/").content.decode()
    assert "Failing since" not in shown and ">Disabled</dt>" in shown
    dropped = api(both).get(f"{path}/deliveries/{sent['id']}").json()
    said = "It answers 500. The webhook was disabled before it was delivered"
    assert (dropped["state"], dropped["dropped"], dropped["error"]) == ("failed", "disabled", said)
    assert said in page.get(f"{path}/deliveries/{sent['id']}/").content.decode()


def test_without_the_key_for_secrets_nothing_is_kept_and_the_answer_says_so(
    both: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = add(both).json()
    mine = tmp_path / "keys"
    shutil.copytree(config().keys, mine)
    (mine / "secret.pub").unlink()
    monkeypatch.setattr(config(), "keys_dir", mine)
    for refused in (
        add(both, name="second"),
        change(both, hook, url="https://elsewhere.example/x"),
        api(both).post(f"/webhooks/{hook['id']}/rotate"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (503, "key_unavailable")
        assert "secret.pub cannot be read" in refused.json()["detail"]
    row = Webhook.objects.get()
    assert (row.origin, row.public_key) == (hook["origin"], hook["public_key"])


def test_a_repeated_request_makes_one_webhook(both: User) -> None:
    first = api(both).post("/webhooks", GOOD, idempotency_key="once")
    again = api(both).post("/webhooks", GOOD, idempotency_key="once")
    assert first.json() == again.json() and Webhook.objects.count() == 1


def test_an_admin_of_a_project_adds_webhooks_of_it_alone(hooks: Hooks, ann: User) -> None:
    pia = factories.person("Pia", {"admin": hooks.feed.project, "auditor": hooks.feed.project})
    assert add(pia).status_code == 403
    mine = add(pia, project="risk")
    assert (mine.status_code, mine.json()["state"]) == (201, "enabled")
    whole = add(ann).json()
    for path in ("", "/deliveries", "/deliveries/whd_x"):
        assert api(pia).get(f"/webhooks/{whole['id']}{path}").status_code == 404
    assert [one["id"] for one in api(pia).get("/webhooks").json()["items"]] == [mine.json()["id"]]
    factories.project("other")
    assert list(fields(add(pia, name="x", project="other"))) == ["/project"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example/in", "It must begin with https://"),
        ("http://localhost/in", "It must begin with https://"),
        ("ftp://hooks.example", "It must begin with https://"),
        ("https://user:secret@hooks.example", "Leave user and password out"),
        ("https://hooks.example/#x", "An address such as"),
        ("https://hooks.example?x=1", "Put a / before the query"),
        ("https://hooks.example:0/", "The port"),
        ("https://hooks.example:99999/", "The port"),
        ("https://hooks exämple/", "An address such as"),
        ("https://hooks.example/\r\nHost: x", "An address such as"),
        ("https://", "An address such as"),
        ("https://[:::]/x", "An address such as"),
        ("https://[1.2.3.4]/", "An address such as"),
        ("hooks.example", "An address such as"),
        ("https://hooks.example/?" + "x" * 480, ""),
    ],
)
def test_an_address_that_cannot_be_told_is_refused_by_its_field(
    both: User, url: str, said: str
) -> None:
    assert fields(add(both, url=url))["/url"].startswith(said)


SLACK = "https://hooks.slack.com/services/T0/B0/T0KEN"


def test_a_channel_of_a_chat_is_set_up_as_any_webhook_and_shows_its_host_alone(
    ann: User, aude: User
) -> None:
    made = add(ann, url=SLACK, service="slack")
    hook = made.json()
    assert (made.status_code, hook["service"], hook["state"]) == (201, "slack", "not_enabled")
    assert (hook["secret"], hook["public_key"]) == ("", "")
    assert enable(ann, hook).status_code == 403
    assert enable(aude, hook).json()["state"] == "enabled"
    path = f"/webhooks/{hook['id']}"
    refused = api(ann).post(f"{path}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_signed")
    assert "/url" in fields(change(ann, hook, url="https://hooks.example/in"))
    assert "/service" in fields(change(ann, hook, service="discord"))
    pages = factories.browser(ann)
    for told in (api(ann).get(path), pages.get("/webhooks/"), pages.get(path + "/"), made):
        assert "hooks.slack.com" in told.content.decode()
        assert "T0KEN" not in told.content.decode()
    assert "Slack, hooks.slack.com" in pages.get("/webhooks/").content.decode()
    assert "Rotate secret" not in pages.get(path + "/").content.decode()
    assert_log_rebuilds_every_row()


@pytest.mark.parametrize("service", ["telegram", "", "SLACK", None, ["slack"], 7])
def test_another_service_is_refused_with_the_list_of_those_that_there_are(
    both: User, service: Any
) -> None:
    said = fields(add(both, url=SLACK, service=service))["/service"]
    if isinstance(service, str) and service:
        assert said.startswith("One of standard, slack, teams, mattermost")


def test_the_page_adds_a_channel_and_shows_the_form_again_as_it_was(both: User) -> None:
    page = factories.browser(both)
    form = {"name": "team", "service": "discord", "url": SLACK, "groups": "releases"}
    again = page.post("/webhooks/new", form).content.decode()
    assert "Paste the address that Discord gives" in again
    assert '<option value="discord" selected>' in again
    form["service"] = "slack"
    assert told(page, "/webhooks/new", **form).startswith("Webhook team added")
    row = Webhook.objects.get()
    assert (row.service, row.groups, row.state) == ("slack", ["releases"], "enabled")


def test_other_input_is_refused_by_its_field(both: User) -> None:
    assert "/name" in fields(add(both, name="Not A Name"))
    for groups in (["nonsense"], "releases", [["releases"]], None):
        assert all(name.startswith("/groups") for name in fields(add(both, groups=groups)))
    assert "/project" in fields(add(both, project="nowhere"))
    assert "/secret" in fields(add(both, secret="whsec_mine"))
    assert add(both).status_code == 201
    taken = add(both)
    assert (taken.status_code, list(fields(taken))) == (409, ["/name"])


@pytest.mark.django_db(transaction=True)
def test_of_two_of_one_name_at_once_one_is_there(both: User) -> None:
    terms, who = WebhookTerms("https://hooks.example/in"), actor_of(both)
    made = at_once(*[lambda: add_webhook(name="hook", terms=terms, actor=who).webhook] * 2)
    assert {type(one) for one in made} == {Webhook, NameTaken}


def test_a_test_and_sending_again_over_rest(hooks: Hooks, both: User, receiver: Receiver) -> None:
    hook = add(both, url=receiver.url).json()
    path = f"/webhooks/{hook['id']}"
    asked = api(both).post(f"{path}/test")
    assert (asked.status_code, asked.json()["event"]) == (202, None)
    hooks.go()
    tested = api(both).get(f"{path}/deliveries/{asked.json()['id']}").json()
    assert (tested["state"], tested["last_attempts"][0]["number"]) == ("delivered", 1)
    once = api(both).post(f"{path}/deliveries/{tested['id']}/redeliver")
    assert (once.status_code, once.json()["code"]) == (409, "tried_once")
    assert once.json()["title"] == "A test is tried once"
    assert once.json()["detail"] == "This delivery was a test, which is tried once: send another"
    items = api(both).get(f"{path}/deliveries").json()["items"]
    one = next(item for item in items if item["event"] is not None)
    again = api(both).post(f"{path}/deliveries/{one['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    hooks.run_jobs("control")
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert ids.count(one["id"]) == 2
    api(both).post(f"{path}/disable")
    refused = api(both).post(f"{path}/deliveries/{one['id']}/redeliver")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_moved")


def test_who_removes_one_ends_what_waits(hooks: Hooks, both: User, receiver: Receiver) -> None:
    hook = add(both, url=receiver.url).json()
    receiver.always = (500, {}, b"")
    hooks.go()
    path = f"/webhooks/{hook['id']}"
    assert api(both).delete(path).status_code == 428
    tag = api(both).get(path)["ETag"]
    assert api(both).delete(path, if_match=tag).status_code == 204
    assert not Webhook.objects.exists() and not WebhookDelivery.objects.exists()
    hooks.later(hours=1)
    assert Event.objects.filter(kind="webhook.removed.v1").count() == 1


def test_a_project_has_so_many_and_no_more(
    both: User, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_webhooks", 1)
    assert add(both, project="risk").status_code == 201
    refused = add(both, project="risk", name="second")
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_reached")
    assert "PLACET_MAX_WEBHOOKS" in refused.json()["detail"]
    assert add(both, name="of-all").status_code == 201
    assert add_webhook(
        name="x", terms=WebhookTerms("https://hooks.example"), actor=SYSTEM
    ).webhook.pk
