"""Log forwarding as an admin sets them up and an auditor lets them begin."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.audit.actions import write_checkpoint
from apps.integrations.actions import add_stream
from apps.integrations.models import Stream
from apps.integrations.rules import StreamTerms
from apps.jobs.actions import enqueue
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.support import factories
from tests.support.certificates import Authority
from tests.support.receivers import https
from tests.support.story import RunJobs
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Who vouches for the receiver: ``ca.pem`` among the secrets."""
    monkeypatch.setattr(config(), "streams_dir", tmp_path)
    return Authority(tmp_path)


def test_an_admin_adds_a_stream_and_an_auditor_lets_it_begin(
    world: World, authority: Authority, open_as: OpenAs, run_jobs: RunJobs
) -> None:
    world.request("staging")
    ann, aude = (
        factories.person("Ann", {"admin": None}),
        factories.person("Aude", {"auditor": None}),
    )
    with https(authority) as receiver:
        page = open_as(ann)
        page.goto("/streams/")
        page.get_by_text("No log forwarding").wait_for()
        page.get_by_role("button", name="New stream…").click()
        page.get_by_label("Name", exact=True).fill("siem")
        page.get_by_label("Destination", exact=True).fill("http://siem.example/in")
        page.get_by_label("Start", exact=True).select_option("0")
        page.get_by_role("button", name="Add").click()
        page.get_by_text("Only to this machine itself").wait_for()
        assert page.get_by_label("Start", exact=True).input_value() == "0"
        page.get_by_label("Destination", exact=True).fill(receiver.url)
        page.get_by_label("CA file").fill("ca.pem")
        page.get_by_role("button", name="Add").click()
        page.get_by_text("Not started: someone with permission to export the whole log").wait_for()
        assert page.get_by_role("button", name="Start", exact=True).count() == 0
        page.get_by_role("button", name="Send a test").click()
        page.get_by_text("A test is being sent").wait_for()
        run_jobs("control")
        page.locator("tr", has_text="Test").get_by_text("Accepted").wait_for()
        auditor = open_as(aude)
        auditor.goto(f"/streams/{Stream.objects.get().pk}/")
        assert auditor.get_by_role("button", name="Pause").count() == 0
        auditor.get_by_role("button", name="Start", exact=True).click()
        auditor.get_by_text("It goes on within seconds").wait_for()
        run_jobs("control")
        auditor.locator("tr", has_text="events from 0").get_by_text("Accepted").wait_for()
        assert b'"index":0' in receiver.bodies[1]
        page.reload()
        page.get_by_role("button", name="Rewind…").click()
        page.get_by_label("First event to resend").fill("1")
        page.get_by_role("button", name="Rewind", exact=True).click()
        page.get_by_text("Resending from that event").wait_for()
        page.get_by_role("button", name="Remove…").click()
        page.get_by_role("button", name="Remove", exact=True).click()
        page.get_by_text("Stream siem removed").wait_for()


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_streams_read_well(
    world: World,
    authority: Authority,
    open_as: OpenAs,
    run_jobs: RunJobs,
    pictures: Path,
    theme: str,
    width: int,
) -> None:
    world.request("staging")
    both = factories.person("Ann Both", {"admin": None, "auditor": None})

    def stream(name: str, url: str, kind: str = "jsonl", **more: object) -> Stream:
        terms = StreamTerms(kind, url, ca_file="ca.pem" if "://localhost" in url else "")
        made = add_stream(name=name, terms=terms, actor=SYSTEM, **more)  # type: ignore[arg-type]
        enqueue("integrations.deliver", key=made.pk, stream=made.pk)
        return made

    with https(authority) as good, https(authority) as bad:
        stream("siem", good.url, start=0)
        write_checkpoint()
        run_jobs("control")
        stream("plant-7", "tcp://127.0.0.1:9", "syslog", start=0, project=world.project)
        bad.always = (
            400,
            {},
            b'{"error": {"type": "mapper_parsing_exception", "reason": "failed"}}',
        )
        stuck = stream("elastic-of-the-second-line", bad.url, "cloudevents", start=3)
        run_jobs("control")
        waits = StreamTerms("jsonl", "https://siem.example/services/collector/raw", "splunk.token")
        ann = factories.actor_of(factories.person("Ann", {"admin": None}))
        add_stream(name="splunk", terms=waits, actor=ann)
        page = open_as(both, width=width, theme=theme)
        for path, name in {"/streams/": "streams", f"/streams/{stuck.pk}/": "stream"}.items():
            page.goto(path)
            page.get_by_role("heading", level=1).wait_for()
            check(page, width, pictures / f"{name}-{theme}-{width}.png")
        page.goto("/streams/")
        page.get_by_role("button", name="New stream…").click()
        check(page, width, pictures / f"stream-new-{theme}-{width}.png")


def check(page: Page, width: int, picture: Path) -> None:
    """Nothing is wider than the screen, nothing is out of reach for whoever does not see it."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=picture, full_page=True)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
