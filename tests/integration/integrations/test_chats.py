"""Channels of chats, each a real server under the chat's own name: what arrives there, that nothing
is lost while it is away, and that it is reached nowhere else."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.serializers import serialize

from apps.audit.actions import record
from apps.audit.models import Event
from apps.discussions.actions import open_thread, reply
from apps.discussions.queries import get_subject
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project
from apps.integrations import actions, calling
from apps.integrations.errors import NothingSigned
from apps.integrations.models import Webhook, WebhookAttempt, WebhookDelivery
from apps.integrations.rules import WebhookTerms
from apps.integrations.standing import fault_words
from apps.jobs.actions import enqueue
from placet.kernel import connecting
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput
from tests.integration.integrations.conftest import Hooks
from tests.integration.integrations.test_webhooks_reach import SAID, ears, heard, last, talking
from tests.support import factories
from tests.support.certificates import Authority
from tests.support.factories import browser
from tests.support.names import names
from tests.support.receivers import Receiver, https
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.world import World
from tests.unit.integrations.test_chats import EVERY, GOOD, SECRET

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
DOWN = (503, {}, b"out of order")
__all__ = ["ears"]


def host_of(service: str) -> str:
    return GOOD[service].split("/")[2].partition(":")[0]


HOSTS = sorted({host_of(service) for service in GOOD})


@pytest.fixture
def chat(hooks: Hooks, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server to which the names of all chats lead, and which the operator allowed by name."""
    monkeypatch.setattr(config(), "webhook_hosts", ", ".join(HOSTS))
    with https(authority, *HOSTS) as found, leading(found.url):
        yield found


@contextmanager
def leading(url: str) -> Iterator[None]:
    port = int(url.split(":")[2].partition("/")[0])
    with names() as told:
        told.lead = {host: [("127.0.0.1", port)] for host in HOSTS}
        yield


def channel(hooks: Hooks, service: str, *groups: str, url: str = "", **more: Any) -> Webhook:
    """Add a channel of the project that is told of events at once."""
    terms = WebhookTerms(url or GOOD[service], groups or ("people",), service)
    wanted = {"name": service.replace("_", "-"), "project": hooks.feed.project, **more}
    return actions.add_webhook(terms=terms, actor=SYSTEM, **wanted).webhook


def texts(chat: Receiver) -> list[str]:
    """Return what Mattermost was told."""
    return [json.loads(body)["text"] for body in chat.bodies]


def sentence(project: Project) -> str:
    """What is told of a project that was changed, and its page."""
    page = f"{config().public_url.rstrip('/')}/projects/{project.slug}/"
    return f"Placet · {project.name} · Changed the project by Placet\n\n[Open in Placet]({page})"


@pytest.mark.parametrize(("service", "url"), EVERY)
def test_each_chat_is_posted_one_message_of_an_event_at_its_address(
    hooks: Hooks, chat: Receiver, service: str, url: str
) -> None:
    channel(hooks, service)
    hooks.feed.log(1)
    hooks.go()
    assert chat.paths == ["/" + url.split("/", 3)[3]]
    (body,), (headers,) = chat.bodies, chat.headers
    assert "Changed the project by Placet" in body.decode()
    assert "Open in Placet" in body.decode()
    assert headers["User-Agent"] == "Placet"
    assert headers["Host"].partition(":")[0] == host_of(service)
    assert not {"webhook-id", "webhook-signature", "Authorization"} & set(headers)
    assert last().state == "delivered"
    assert_log_rebuilds_every_row()


def test_a_message_is_a_sentence_of_the_event_and_a_link_to_its_page(
    hooks: Hooks, chat: Receiver
) -> None:
    channel(hooks, "mattermost")
    hooks.feed.log(1)
    hooks.feed.log(1, Project.objects.create(name="Other", slug="other"))
    hooks.go()
    assert texts(chat) == [sentence(hooks.feed.project)]


def test_who_reads_the_log_is_shown_the_message(hooks: Hooks, chat: Receiver) -> None:
    hook = channel(hooks, "mattermost")
    hooks.feed.log(1)
    hooks.go()
    ann, aude = (
        factories.person("Ann", {"admin": None}),
        factories.person("Aude", {"auditor": None}),
    )
    path = f"/webhooks/{hook.pk}/deliveries/{last().pk}/"
    told, _, link = sentence(hooks.feed.project).partition("\n\n")
    shown = browser(aude).get(path).content.decode()
    assert told in shown
    assert f'href="{link.partition("(")[2].removesuffix(")")}"' in shown
    shown = browser(ann).get(path).content.decode()
    assert told not in shown
    assert "The message tells of the event" in shown
    test = actions.ask_for_webhook_test(hook, actor=SYSTEM)
    hooks.run_jobs("control")
    path = f"/webhooks/{hook.pk}/deliveries/{test.pk}/"
    assert (
        "This is a test: messages from Placet arrive here"
        in browser(ann).get(path).content.decode()
    )


def test_a_channel_of_the_instance_is_told_what_is_of_no_project_too(
    hooks: Hooks, chat: Receiver
) -> None:
    hook = channel(hooks, "mattermost", "log", project=None)
    hooks.go()
    first, _ = texts(chat)
    event = Event.objects.get(subject=hook.pk, kind="webhook.added.v1")
    assert first.startswith("Placet · Added a webhook by Placet\n")
    assert first.endswith(f"/audit/{event.index}/)")


def test_a_name_that_people_gave_is_text(hooks: Hooks, chat: Receiver) -> None:
    Project.objects.filter(pk=hooks.feed.project.pk).update(
        name="<!here> @channel [x](https://evil.example)"
    )
    for service in GOOD:
        channel(hooks, service)
    hooks.feed.log(1)
    hooks.go()
    assert len(chat.bodies) == len(GOOD)
    for body in chat.bodies:
        said = json.dumps(json.loads(body), ensure_ascii=False)
        for live in ("<!here", "@channel", "evil.example", "](https://evil", "https://evil"):
            assert live not in said


def test_what_people_wrote_is_not_in_it(hooks: Hooks, chat: Receiver) -> None:
    world = World(existing=hooks.feed.project)
    release = world.request("staging", world.bento(world.version()))
    channel(hooks, "mattermost", "discussions", "releases", project=world.project)
    subject = get_subject("release", release.pk, SYSTEM)
    thread = open_thread(subject, text="the patient's name is X", actor=world.rex).comment.thread
    reply(thread, text="no patient has a name here", actor=world.rex)
    hooks.go()
    told = texts(chat)[-1]
    assert "patient" not in "".join(texts(chat))
    assert told.startswith(f"Placet · {world.project.name} · ") and "Rex" in told
    assert told.endswith(f"/threads/{thread.pk}/)")


def test_messages_arrive_in_the_order_of_what_happened(hooks: Hooks, chat: Receiver) -> None:
    hook = channel(hooks, "mattermost", "log", "people")
    hooks.feed.log(6)
    hooks.go()
    sent = WebhookAttempt.objects.filter(delivery__webhook=hook).order_by("pk")
    indexes = list(sent.values_list("delivery__index", flat=True))
    assert indexes == sorted(indexes) and len(indexes) == 8


def test_a_day_without_the_chat_loses_nothing_and_tells_nothing_twice(
    hooks: Hooks, chat: Receiver
) -> None:
    hook = channel(hooks, "mattermost")
    hooks.feed.log(5)
    chat.always = DOWN
    hooks.go()
    hooks.later(hours=5)
    hooks.later(hours=12)
    assert {row.state for row in hook.deliveries.all()} == {"waiting"}
    chat.always = (200, {}, b"ok")
    hooks.later(hours=5)
    assert {row.state for row in hook.deliveries.all()} == {"delivered"}
    assert texts(chat) == [sentence(hooks.feed.project)] * 5
    hooks.later(hours=5)
    assert len(chat.bodies) == 5
    hook.refresh_from_db()
    assert (hook.state, hook.failing_since) == ("enabled", None)


def test_a_chat_that_is_told_too_much_has_the_time_that_it_asks_for(
    hooks: Hooks, chat: Receiver
) -> None:
    channel(hooks, "discord")
    hooks.feed.log(1)
    chat.replies = [(429, {"Retry-After": "90"}, b'{"retry_after": 90}')]
    hooks.go()
    waits = last()
    assert (waits.state, waits.status) == ("waiting", 429)
    assert len(chat.headers) == 1, "the library does not try again by itself"
    assert waits.next_at - now() > timedelta(seconds=80)
    hooks.later(seconds=100)
    assert last().state == "delivered" and len(chat.bodies) == 1


def test_a_channel_that_is_gone_is_disabled(hooks: Hooks, chat: Receiver) -> None:
    hook = channel(hooks, "slack")
    hooks.feed.log(1)
    chat.always = (410, {}, b"channel_is_archived")
    hooks.go()
    hook.refresh_from_db()
    assert (hook.state, hook.reason) == ("disabled", "gone")


def test_a_test_says_that_it_is_one_and_holds_nothing_of_the_log(
    hooks: Hooks, chat: Receiver
) -> None:
    hook = channel(hooks, "mattermost", "recalls")
    actions.disable_webhook(hook, actor=SYSTEM)
    actions.ask_for_webhook_test(hook, actor=SYSTEM)
    hooks.run_jobs("control")
    (told,) = texts(chat)
    assert told.startswith("Placet · This is a test: messages from Placet arrive here\n")
    assert f"/webhooks/{hook.pk}/" in told


def test_a_channel_has_no_secret_and_is_given_another_address_of_its_chat_alone(
    hooks: Hooks, chat: Receiver
) -> None:
    terms = WebhookTerms(GOOD["slack"], ("people",), "slack")
    given = actions.add_webhook(name="team", terms=terms, actor=SYSTEM)
    hook = given.webhook
    assert (given.secret, hook.public_key, hook.signing) == ("", "", "")
    assert hook.origin == "https://hooks.slack.com"
    with pytest.raises(NothingSigned):
        actions.rotate_webhook(hook, actor=SYSTEM)
    for url in (GOOD["discord"], "https://hooks.example/in"):
        with pytest.raises(InvalidInput) as refused:
            actions.change_webhook(hook, url=url, if_generation=0, actor=SYSTEM)
        (fault,) = refused.value.errors
        assert fault.pointer == "/url" and "Slack" in fault.detail and SECRET not in fault.detail
    other = GOOD["slack"].replace(SECRET, "another")
    actions.change_webhook(hook, url=other, if_generation=0, actor=SYSTEM)
    hooks.feed.log(1)
    hooks.go()
    assert chat.paths == ["/services/T0/B0/another"]


@pytest.mark.parametrize(("service", "url"), EVERY)
def test_no_part_of_an_address_is_in_any_table_log_or_text(
    hooks: Hooks, chat: Receiver, caplog: pytest.LogCaptureFixture, service: str, url: str
) -> None:
    caplog.set_level("DEBUG")
    chat.always = (404, {}, f"no such path: {url}".encode())
    hook = channel(hooks, service)
    hooks.feed.log(1)
    hooks.go()
    assert chat.paths
    tables = "".join(
        serialize("json", model.objects.all())
        for model in (Webhook, WebhookDelivery, WebhookAttempt, Event)
    )
    for told in (tables, caplog.text, str(hook.__dict__)):
        assert SECRET not in told


def test_after_a_rotation_of_the_secret_key_a_channel_s_address_is_encrypted_anew(
    hooks: Hooks, chat: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(config().keys, tmp_path / "keys")
    monkeypatch.setattr(config(), "keys_dir", tmp_path / "keys")
    hook = channel(hooks, "mattermost")
    before = Webhook.objects.get().address
    call_command("keys", "--folder", str(tmp_path / "keys"), "rotate", "secret")
    enqueue("integrations.reseal")
    hooks.run_jobs("control")
    row = Webhook.objects.get()
    assert row.address != before and row.signing == ""
    enqueue("integrations.reseal")
    hooks.run_jobs("control")
    assert Webhook.objects.get().address == row.address, "what is encrypted for it stays"
    hooks.feed.log(1)
    hooks.go()
    assert hook.deliveries.get().state == "delivered"


OWN = ("mattermost", "rocketchat", "teams")
PRIVATE = (
    *("127.0.0.1", "127.1", "0", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"),
    *("10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "168.63.129.16"),
)


@pytest.mark.parametrize("service", OWN)
@pytest.mark.parametrize("host", PRIVATE)
def test_no_chat_is_reached_on_this_network(
    hooks: Hooks,
    ears: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    host: str,
) -> None:
    monkeypatch.setattr(config(), "webhook_hosts", "")
    place = GOOD[service].split("/")[2]
    port = ears[0].getsockname()[1]
    channel(hooks, service, url=GOOD[service].replace(place, f"{host}:{port}"))
    hooks.feed.log(1)
    hooks.go()
    assert (last().state, last().status) == ("waiting", 0)
    assert not heard(ears)
    assert last().detail == SAID or last().fault == "no_host"


@pytest.mark.parametrize("service", sorted(GOOD))
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "::1"])
def test_no_name_of_a_chat_leads_there(
    hooks: Hooks,
    ears: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    address: str,
) -> None:
    monkeypatch.setattr(config(), "webhook_hosts", "")
    channel(hooks, service)
    hooks.feed.log(1)
    with names() as told:
        told.lead = {host: [(address, ears[0].getsockname()[1])] for host in HOSTS}
        hooks.go()
    assert last().detail == SAID
    assert not heard(ears)


@pytest.mark.parametrize("service", sorted(GOOD))
def test_a_name_that_leads_elsewhere_at_the_next_look_is_judged_by_what_is_connected_to(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.setattr(config(), "webhook_hosts", "")
    looks: list[str] = []
    dialled: list[str] = []

    def rebinding(host: str, port: int, *rest: object, **more: object) -> list[object]:
        looks.append(host)
        address = "93.184.216.34" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def nobody(family: object, address: tuple[str, int], *rest: object) -> None:
        dialled.append(address[0])
        raise ConnectionRefusedError("nobody there")

    channel(hooks, service)
    hooks.feed.log(1)
    monkeypatch.setattr(connecting, "_connected", nobody)
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    hooks.go()
    hooks.later(seconds=10)
    assert looks == [host_of(service)] * 2, "each attempt looks once, and connects to what it saw"
    assert dialled == ["93.184.216.34"]
    assert last().detail == SAID


@pytest.mark.parametrize("service", sorted(GOOD))
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_of_a_chat_is_not_followed(
    hooks: Hooks, chat: Receiver, authority: Authority, service: str, status: int
) -> None:
    with https(authority, *HOSTS) as other:
        channel(hooks, service)
        hooks.feed.log(1)
        chat.always = (status, {"Location": other.url}, b"")
        hooks.go()
        assert chat.headers and not other.headers
    assert fault_words(last()) == f"It answers {status}, a redirect, which is not followed"


def test_a_chat_that_never_ends_its_answer_has_taken_the_message(
    hooks: Hooks, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 5.0)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with talking(authority, head, b"10000\r\n" + b"x" * 65536 + b"\r\n", every=0.0) as url:
        own = url.split("/")[2]
        channel(hooks, "rocketchat", url=f"https://{own}/hooks/abc/{SECRET}")
        hooks.feed.log(1)
        hooks.go()
    assert last().state == "delivered"


def test_an_event_that_was_archived_is_not_told(hooks: Hooks, chat: Receiver) -> None:
    hook = channel(hooks, "mattermost")
    with record(SYSTEM) as log:
        log.add(PROJECT_UPDATED, hooks.feed.project)
    delivery = WebhookDelivery(webhook=hook, index=10**9, kind=PROJECT_UPDATED.name)
    from apps.integrations.queries import message_of

    assert message_of(delivery) is None
