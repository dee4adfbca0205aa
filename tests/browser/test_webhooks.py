"""Webhooks as an admin sets them up, an auditor enables them, and both see what became of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apps.integrations.actions import add_webhook
from apps.integrations.models import Webhook
from apps.integrations.rules import WebhookTerms
from apps.jobs.actions import enqueue
from placet.kernel import outbound
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.browser.test_streams import check
from tests.support import factories
from tests.support.certificates import Authority
from tests.support.receivers import Receiver, https
from tests.support.story import RunJobs
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on this machine, which webhooks may reach."""
    authority = Authority(tmp_path)
    monkeypatch.setattr(config(), "webhook_hosts", "localhost")
    monkeypatch.setattr(config(), "ca_file", authority.ca)
    outbound._usual.cache_clear()
    with https(authority) as found:
        yield found
    outbound._usual.cache_clear()


def go(run_jobs: RunJobs) -> None:
    enqueue("integrations.spread")
    run_jobs("control")


def test_an_admin_adds_a_webhook_and_an_auditor_enables_it(
    world: World, receiver: Receiver, open_as: OpenAs, run_jobs: RunJobs
) -> None:
    ann, aude = (
        factories.person("Ann", {"admin": None}),
        factories.person("Aude", {"auditor": None}),
    )
    page = open_as(ann)
    page.goto("/webhooks/")
    page.get_by_text("No webhooks").wait_for()
    page.get_by_role("button", name="New webhook…").click()
    page.get_by_label("Name", exact=True).fill("hook")
    page.get_by_label("Destination", exact=True).fill("http://hooks.example/in")
    page.get_by_label("The log itself").check()
    page.get_by_role("button", name="Add").click()
    page.get_by_text("It must begin with https://").first.wait_for()
    assert page.get_by_label("The log itself").first.is_checked()
    page.get_by_label("Destination", exact=True).fill(receiver.url)
    page.get_by_role("button", name="Add").click()
    page.get_by_text("it is shown only once").wait_for()
    assert "whsec_" in page.locator("[data-copy]").first.inner_text()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_text("Not enabled yet, and told of nothing: someone with permission").wait_for()
    assert "whsec_" not in page.content()
    assert page.get_by_role("button", name="Enable", exact=True).count() == 0
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("A test is being sent").wait_for()
    run_jobs("control")
    page.reload()
    page.locator("tr", has_text="Test").get_by_text("Delivered").wait_for()
    auditor = open_as(aude)
    auditor.goto(f"/webhooks/{Webhook.objects.get().pk}/")
    assert auditor.get_by_role("button", name="Disable").count() == 0
    auditor.get_by_role("button", name="Enable", exact=True).click()
    auditor.get_by_text("It is told of events from now on").wait_for()
    receiver.replies = [(500, {}, b"out of order")]
    go(run_jobs)
    page.reload()
    page.locator("tr", has_text="webhook.enabled.v1").get_by_role("link").click()
    page.get_by_text("It answers 500").first.wait_for()
    page.get_by_text("Request headers and answer").click()
    page.get_by_text("it is shown to those with permission to view the log").wait_for()
    auditor.goto(page.url)
    auditor.get_by_text("Request headers and answer").click()
    auditor.get_by_text("out of order").wait_for()
    page.get_by_role("button", name="Retry now").click()
    page.get_by_text("It is sent within seconds").wait_for()
    run_jobs("control")
    page.reload()
    page.get_by_text("Delivered").wait_for()
    page.get_by_role("link", name="hook", exact=True).click()
    page.get_by_role("button", name="Rotate secret…").click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    page.get_by_text("it is shown only once").wait_for()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_text("sign beside the new ones, and end").wait_for()
    page.get_by_role("button", name="Change…").click()
    page.get_by_label("The log itself").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("it was changed, and has to be enabled again").wait_for()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Webhook hook removed").wait_for()


def test_an_admin_adds_a_channel_of_a_chat_and_reads_what_became_of_it(
    world: World, receiver: Receiver, open_as: OpenAs, run_jobs: RunJobs
) -> None:
    page = open_as(factories.person("Both", {"admin": None, "auditor": None}))
    page.goto("/webhooks/")
    page.get_by_role("button", name="New webhook…").click()
    page.get_by_label("Name", exact=True).fill("team")
    page.get_by_label("Service").select_option("Rocket.Chat")
    page.get_by_text("What to paste for a chat").click()
    page.get_by_text("https://chat.example/hooks/…/…").wait_for()
    page.get_by_label("Destination", exact=True).fill(receiver.url)
    page.get_by_label("The log itself").check()
    page.get_by_role("button", name="Add").click()
    page.get_by_text("Paste the address that Rocket.Chat gives").first.wait_for()
    page.get_by_label("Destination", exact=True).fill(receiver.url.replace("/in", "/hooks/a1/b2"))
    page.get_by_role("button", name="Add").click()
    page.get_by_text("Webhook team added").wait_for()
    page.get_by_role("heading", name="team to Rocket.Chat, localhost").wait_for()
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("A test is being sent").wait_for()
    go(run_jobs)
    page.reload()
    page.locator("tr", has_text="test.v1").get_by_text("Delivered").first.wait_for()
    page.locator("tr", has_text="webhook.added.v1").get_by_text("Delivered").wait_for()
    told = [json.loads(body)["text"] for body in receiver.bodies]
    assert any("Added a webhook by Both" in text for text in told)
    assert any("This is a test" in text for text in told)
    assert page.get_by_role("button", name="Rotate secret…").count() == 0


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_webhooks_read_well(
    world: World,
    receiver: Receiver,
    open_as: OpenAs,
    run_jobs: RunJobs,
    pictures: Path,
    theme: str,
    width: int,
) -> None:
    both = factories.person("Ann Both", {"admin": None, "auditor": None})

    def hook(name: str, url: str, *groups: str, **more: object) -> Webhook:
        terms = WebhookTerms(url, groups)
        return add_webhook(name=name, terms=terms, actor=SYSTEM, **more).webhook  # type: ignore[arg-type]

    hook("deployments", receiver.url, "serving", "log", project=world.project)
    receiver.replies = [(503, {"Retry-After": "60"}, b"<html>Service unavailable</html>")]
    shown = hook("everything-of-the-second-line", receiver.url)
    go(run_jobs)
    gone = hook("gone", receiver.url, "log")
    slack = WebhookTerms("https://hooks.slack.com/services/T0/B0/x", ("releases",), "slack")
    chat = add_webhook(name="team-risk", terms=slack, project=world.project, actor=SYSTEM).webhook
    receiver.always = (410, {}, b"")
    go(run_jobs)
    page = open_as(both, width=width, theme=theme)
    delivery = shown.deliveries.earliest("pk")
    addresses = {
        "/webhooks/": "webhooks",
        f"/webhooks/{shown.pk}/": "webhook",
        f"/webhooks/{gone.pk}/": "webhook-gone",
        f"/webhooks/{chat.pk}/": "webhook-chat",
        f"/webhooks/{shown.pk}/deliveries/{delivery.pk}/": "webhook-delivery",
    }
    for path, name in addresses.items():
        page.goto(path)
        page.get_by_role("heading", level=1).wait_for()
        check(page, width, pictures / f"{name}-{theme}-{width}.png")
    page.goto("/webhooks/")
    page.get_by_role("button", name="New webhook…").click()
    page.get_by_text("What to paste for a chat").click()
    check(page, width, pictures / f"webhook-new-{theme}-{width}.png")
