"""What people are told of, whom an event concerns, and when a digest goes out. Standard library
only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

DIGEST_HOUR = 7  # UTC
EXPIRES_SOON = timedelta(days=7)  # so long before its end a token's holder is told
NOW, DAILY, NONE = "now", "daily", "none"
WAYS = {NOW: "At once", DAILY: "Daily digest", NONE: "No mail"}
EXPIRING = "token"  # the one kind that belongs to no project
USUAL = "usual"  # chosen again: what is usual for a kind, or what is chosen for all projects


class Whom(StrEnum):
    """Whom an event may concern."""

    DECIDERS = "deciders"  # who may decide on the release
    ASKED = "asked"  # by name to review the release, and who stands in for them
    COSIGNERS = "co-signers"  # who may co-sign the emergency release
    GLASS_REVIEWERS = "emergency reviewers"  # who may close the review of the emergency release
    VOIDED = "voided"  # whose decisions on the release it voided
    PUBLISHERS = "publishers"  # who may publish the draft
    REQUESTER = "requester"  # who asked for the release
    OPERATORS = "operators"  # who asked for the release or started its rollout
    BUILDER = "builder"  # who asked for the build
    MENTIONED = "mentioned"  # in this comment
    SPEAKERS = "speakers"  # who said something in the thread
    WATCHERS = "watchers"  # of the release, or of its project
    FOLLOWERS = "followers"  # of the project


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """Something that people are told of: what it is called among the preferences, what stands above
    a mail, and how it is told where nobody chose."""

    name: str
    title: str
    headline: str
    usual: str


KINDS: Mapping[str, NoticeKind] = {
    kind.name: kind
    for kind in (
        NoticeKind("review", "Releases that need my review", "A release needs your review", NOW),
        NoticeKind(
            "emergency", "Emergency releases that need me", "An emergency release needs you", NOW
        ),
        NoticeKind(
            "policy", "Policy drafts that need my review", "A policy draft needs your review", NOW
        ),
        NoticeKind(
            "changes", "Changes requested on my releases", "Changes requested on your release", NOW
        ),
        NoticeKind("decided", "Decisions on my releases", "Your release was decided", NOW),
        NoticeKind("rollout", "My rollouts that pause or end badly", "News of your rollout", NOW),
        NoticeKind("build", "My builds that fail", "Your build failed", NOW),
        NoticeKind(EXPIRING, "My API tokens that expire soon", "An API token expires soon", NOW),
        NoticeKind("mentioned", "Mentions of me", "You were mentioned", NOW),
        NoticeKind("replied", "Replies in my discussions", "New reply in a discussion", NOW),
        NoticeKind("alert", "Alerts in projects that I watch", "An alert was opened", NOW),
        NoticeKind("watched", "Releases that I watch", "News of a release you watch", DAILY),
    )
}

Concern = tuple[str, Whom]
ENDED_BADLY: tuple[Concern, ...] = (("rollout", Whom.OPERATORS), ("watched", Whom.WATCHERS))
OUTCOME: tuple[Concern, ...] = (("decided", Whom.REQUESTER), ("watched", Whom.WATCHERS))
NEWS: tuple[Concern, ...] = (("watched", Whom.WATCHERS),)
HELD: tuple[Concern, ...] = (("rollout", Whom.OPERATORS),)

# What an event means to whom, by its kind. Whom it concerns in several ways is told of it in the
# first of them of which they want mail.
CONCERNS: Mapping[str, tuple[Concern, ...]] = {
    "release.requested.v1": (("review", Whom.DECIDERS), ("watched", Whom.WATCHERS)),
    "release.review_requested.v1": (("review", Whom.ASKED),),
    "release.review_overdue.v1": (("review", Whom.ASKED),),
    "release.policy_changed.v1": (("review", Whom.VOIDED),),
    "break_glass.opened.v1": (("emergency", Whom.COSIGNERS), *NEWS),
    "break_glass.used.v1": NEWS,
    "break_glass.lapsed.v1": NEWS,
    "break_glass.ended.v1": (("emergency", Whom.GLASS_REVIEWERS), *NEWS),
    "break_glass.reviewed.v1": NEWS,
    "release.decided.v1": NEWS,
    "release.approved.v1": OUTCOME,
    "release.rejected.v1": OUTCOME,
    "release.expired.v1": OUTCOME,
    "release.withdrawn.v1": NEWS,
    "release.live.v1": NEWS,
    "release.restored.v1": NEWS,
    "release.superseded.v1": NEWS,
    "release.retired.v1": NEWS,
    "release.failed.v1": ENDED_BADLY,
    "release.aborted.v1": ENDED_BADLY,
    "release.rolled_back.v1": ENDED_BADLY,
    "release.revoked.v1": ENDED_BADLY,
    "rollout.paused.v1": HELD,
    "rollout.waiting_for_person.v1": HELD,
    "rollout.effect_shown.v1": HELD,
    "policy.drafted.v1": (("policy", Whom.PUBLISHERS),),
    "build.failed.v1": (("build", Whom.BUILDER),),
    "alert.opened.v1": (("alert", Whom.FOLLOWERS),),
    "discussion.opened.v1": (("mentioned", Whom.MENTIONED), ("watched", Whom.WATCHERS)),
    "discussion.replied.v1": (("mentioned", Whom.MENTIONED), ("replied", Whom.SPEAKERS)),
    "discussion.edited.v1": (("mentioned", Whom.MENTIONED),),
}
CHANGES_REQUESTED: tuple[Concern, ...] = (("changes", Whom.REQUESTER), *NEWS)


def concerns_of(kind: str, data: Mapping[str, Any]) -> tuple[Concern, ...]:
    """Return what an event means to whom, the most telling first."""
    if kind == "release.decided.v1" and data.get("verdict") == "request_changes":
        return CHANGES_REQUESTED
    return CONCERNS.get(kind, ())


def chosen_way(kind: str, chosen: Mapping[str, str], project: str) -> str:
    """Return how somebody is told of ``kind`` in a project: as they chose for that project, else
    for all of them (''), else as is usual."""
    return chosen.get(project) or chosen.get("") or KINDS[kind].usual


def due(way: str, at: datetime) -> datetime:
    """Return when somebody is told what happened ``at`` that time: the next digest comes once a
    day, for everybody at the same hour."""
    if way != DAILY:
        return at
    today = at.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    return today if at < today else today + timedelta(days=1)


def ways_of(kind: NoticeKind) -> Iterator[tuple[str, str]]:
    """Yield what can be chosen for a kind, and its words: what is usual says which that is."""
    for way, words in WAYS.items():
        yield way, f"{words} (usual)" if way == kind.usual else words
