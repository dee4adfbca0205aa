"""What somebody watches and how they are told, as their page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from apps.console.queries.page_parts import Button
from apps.governance.models import Release
from apps.identity.models import Project, User
from apps.identity.queries import known_projects
from apps.notices.models import Watch
from apps.notices.queries import (
    KindChoice,
    KindPreference,
    choices_of,
    own_watches,
    project_preferences,
)
from apps.notices.rules import DIGEST_HOUR, EXPIRING, KINDS, USUAL, WAYS, ways_of
from placet.kernel.actor import Actor
from placet.kernel.config import config

SHOWN = 100  # of what is watched, and of projects


@dataclass(frozen=True, slots=True)
class WatchRow:
    """Something that its reader watches, or a release of which they want no news."""

    watch: Watch

    @property
    def name(self) -> str:
        """What it is called."""
        release = self.watch.release
        return f"Release {release.number}" if release else "The whole project"

    @property
    def url(self) -> str:
        """Where its page is."""
        if self.watch.release_id:
            return reverse("release", args=[self.watch.release_id])
        return reverse("project", args=[self.watch.project.slug])

    @property
    def said(self) -> str:
        """How it stands."""
        return "Watched" if self.watch.is_on else "Not watched"

    @property
    def button(self) -> Button:
        """What turns it round."""
        if self.watch.release is None:
            return watch_project_button(self.watch.project, self.watch.is_on)
        return watch_release_button(self.watch.release, self.watch.is_on)


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind of things with what can be chosen for it."""

    choice: KindChoice

    @property
    def id(self) -> str:
        """The id of its field."""
        return f"nt-{self.choice.kind.name}"

    @property
    def options(self) -> list[tuple[str, str]]:
        """The ways to choose from."""
        return list(ways_of(self.choice.kind))


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """What is chosen for one project, in words."""

    preference: KindPreference

    @property
    def way(self) -> str:
        """How one is told."""
        return WAYS[self.preference.way]


@dataclass(frozen=True, slots=True)
class NotificationsPage:
    """All that somebody chose, and what they can choose from."""

    kinds: Sequence[KindRow]
    preferences: Sequence[PreferenceRow]
    watches: Sequence[WatchRow]
    projects: Sequence[tuple[str, str]]
    address: str
    mails: bool  # whether there is a mail server

    @property
    def digest_at(self) -> str:
        """When the daily digest comes."""
        return f"{DIGEST_HOUR:02}:00 UTC"

    @property
    def kind_choices(self) -> list[tuple[str, str]]:
        """What can be chosen for one project."""
        return [(kind.name, kind.title) for kind in KINDS.values() if kind.name != EXPIRING]

    @property
    def way_choices(self) -> list[tuple[str, str]]:
        """How one can be told there."""
        return [*WAYS.items(), (USUAL, "As in other projects")]


def notifications_page(actor: Actor) -> NotificationsPage:
    """Return how ``actor`` is told, in five queries."""
    projects = known_projects(actor).order_by("name", "pk").values_list("slug", "name")
    return NotificationsPage(
        kinds=[KindRow(choice) for choice in choices_of(actor)],
        preferences=[PreferenceRow(row) for row in project_preferences(actor)[:SHOWN]],
        watches=[WatchRow(row) for row in own_watches(actor)[:SHOWN]],
        projects=list(projects[:SHOWN]),
        address=User.objects.values_list("email", flat=True).get(pk=actor.accountable),
        mails=bool(config().email_url),
    )


def watch_release_button(release: Release, is_on: bool) -> Button:
    """Return what has its reader watch a release, or no longer."""
    route, text = ("release-unwatch", "Unwatch") if is_on else ("release-watch", "Watch")
    return Button(text, post=reverse(route, args=[release.pk]))


def watch_project_button(project: Project, is_on: bool) -> Button:
    """Return what has its reader watch a project, or no longer."""
    route, text = ("project-unwatch", "Unwatch") if is_on else ("project-watch", "Watch")
    return Button(text, post=reverse(route, args=[project.slug]))
