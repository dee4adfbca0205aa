"""A receiver on loopback, an authority that vouches for it, and a folder of stream secrets."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.audit.actions import record
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project
from apps.integrations.actions import GivenWebhook, add_stream, add_webhook
from apps.integrations.models import Stream, WebhookDelivery
from apps.integrations.queries import due_deliveries
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.jobs.actions import enqueue
from placet.kernel import outbound
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.support import factories
from tests.support.certificates import Authority
from tests.support.receivers import Receiver, https


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of stream secrets."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setattr(config(), "streams_dir", folder)
    return folder


@pytest.fixture
def authority(secrets: Path) -> Authority:
    """Who vouches for the receiver: ``ca.pem`` among the secrets, and those of the project."""
    made = Authority(secrets)
    (secrets / "risk").mkdir()
    shutil.copy(made.ca, secrets / "risk" / "ca.pem")
    return made


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    """An HTTPS server."""
    with https(authority) as found:
        yield found


class Feed:
    """A log with events in it, and streams that the platform's own jobs deliver."""

    def __init__(self, run_jobs: Callable[..., int]) -> None:
        self.run_jobs = run_jobs
        self.project: Project = factories.project("risk")

    def log(self, count: int, project: Project | None = None) -> None:
        """Have so many more events in the log."""
        with record(SYSTEM) as log:
            for _ in range(count):
                log.add(PROJECT_UPDATED, project or self.project)

    def stream(self, url: str, *, start: int | None = 0, **terms: Any) -> Stream:
        """Add a stream that begins at once."""
        project = terms.pop("project", None)
        name = terms.pop("name", "siem")
        wanted = {"kind": "jsonl", "ca_file": "" if "127.0.0.1" in url else "ca.pem", **terms}
        return add_stream(
            name=name,
            terms=StreamTerms(url=url, **wanted),
            start=start,
            project=project,
            actor=SYSTEM,
        )

    def go(self, stream: Stream) -> Stream:
        """Have a worker send what there is, as the sweep does; return the stream as it is then."""
        Stream.objects.filter(pk=stream.pk).update(retry_at=None)
        enqueue("integrations.deliver", key=stream.pk, stream=stream.pk)
        self.run_jobs("control")
        return Stream.objects.get(pk=stream.pk)


@pytest.fixture
def feed(run_jobs: Callable[..., int], secrets: Path) -> Feed:
    """A log, and who delivers it."""
    return Feed(run_jobs)


class Hooks:
    """A log, and webhooks that the platform's own jobs call."""

    def __init__(self, feed: Feed) -> None:
        self.feed, self.run_jobs = feed, feed.run_jobs

    def hook(self, url: str, *groups: str, **more: Any) -> GivenWebhook:
        """Add a webhook that is enabled at once."""
        wanted = {"name": "hook", "actor": SYSTEM, **more}
        return add_webhook(terms=WebhookTerms(url, groups), **wanted)

    def go(self) -> None:
        """Have a worker make deliveries and send what is due, as the sweep does, until each was
        tried: one job has its time."""
        enqueue("integrations.spread")
        self.run_jobs("control")
        while due_deliveries().filter(tries=0).exists():
            enqueue("integrations.spread")
            self.run_jobs("control")

    def later(self, **time: float) -> None:
        """Have so much time gone by for every delivery that is not settled, and go on."""
        ago = timedelta(**time)
        for row in WebhookDelivery.objects.filter(state__in=["waiting", "sending"]):
            row.asked_at -= ago
            row.next_at -= ago
            row.lease_until = row.lease_until and row.lease_until - ago
            row.save()
        self.go()


@pytest.fixture
def hooks(feed: Feed, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """Webhooks that may go to this machine, whose authority is believed."""
    monkeypatch.setattr(config(), "webhook_hosts", "localhost, other.test")
    monkeypatch.setattr(config(), "ca_file", authority.ca)
    outbound._usual.cache_clear()
    yield Hooks(feed)
    outbound._usual.cache_clear()
