"""What stands between a new version and its first release, and where each of it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.urls import reverse

from apps.builds.models import Build
from apps.console.queries.page_parts import Link

BUILT = 3  # which of the steps a build is


@dataclass(frozen=True, slots=True)
class ReadinessStep:
    """One thing between a new version and its first release."""

    title: str
    state: Literal["passed", "waiting", "failed", ""]
    hint: str = ""
    url: str = ""
    dialog: str = ""  # what the hint opens


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the reader does what is left; '' where they may not."""

    draft: str = ""  # the page of the draft
    dialog: str = ""  # the one that reports metrics

    def part(self, name: str) -> str:
        """Return the address of a part of the draft."""
        return f"{self.draft}#{name}" if self.draft else ""


def steps(
    done: Sequence[bool], newest: Build | None, wrong: Link | None = None, ways: Ways | None = None
) -> list[ReadinessStep]:
    """Return what stands between a version and serving, in order; the first that is not done is
    what it waits for. ``wrong`` says what the smoke test of what was built found."""
    tried = {
        "failed": "The last build failed: see why.",
        "queued": "A build waits for a worker: see it.",
        "running": "It is being built: watch it.",
    }.get(newest.state if newest else "", "")
    log = reverse("build", args=[newest.pk]) if newest and tried else ""
    ways = ways or Ways()
    rows = (
        ("Files uploaded", "Upload the model's files.", ways.part("files"), ""),
        ("Finalised", "Finalise it to freeze files and metadata.", ways.part("checklist"), ""),
        ("Metrics reported", "Report metrics as evidence.", ways.part("metrics"), ways.dialog),
        ("Built and smoke-tested", tried or "Build it.", log, ""),
        ("Released", "Request a release to an environment.", "", ""),
    )
    first = done.index(False) if False in done else len(done)
    return [
        ReadinessStep(title, "failed", wrong.text, wrong.url)
        if wrong and index == BUILT
        else ReadinessStep(title, "passed")
        if done[index]
        else ReadinessStep(title, "waiting", hint, url, dialog)
        if index == first
        else ReadinessStep(title, "")
        for index, (title, hint, url, dialog) in enumerate(rows)
    ]
