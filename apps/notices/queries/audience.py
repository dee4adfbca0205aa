"""Whom an event concerns, whatever they may see: that is asked when a mail is sent."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from apps.audit.models import Event
from apps.audit.queries.bodies import body_of, states_of
from apps.builds.models import Build
from apps.discussions.models import Comment, Mention
from apps.governance.models import BreakGlass, Decision, Release
from apps.governance.rules import ROLE_OF, missing_roles
from apps.identity.models import ServiceAccount, User
from apps.identity.queries import people_with
from apps.monitoring.actions.mail import recipients
from apps.monitoring.models import Alert
from apps.notices.models import Watch
from apps.notices.queries.preferences import by_themselves
from apps.notices.rules import Whom, concerns_of
from apps.rollouts.models import Rollout
from placet.kernel.actor import Scope

COMMENT, DECISION = Comment._meta.label_lower, Decision._meta.label_lower
GLASS = BreakGlass._meta.label_lower


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom an event concerns in one way: as what ``kind``, and what the mail leads to. ``part`` is
    a comment, of which nobody is told twice."""

    kind: str
    subject: str
    people: frozenset[str]
    part: str = ""


@dataclass(frozen=True, slots=True)
class _Logged:
    """An event of the log, as it is looked at here."""

    subject: str
    scope: Scope
    doers: frozenset[str]  # who answers for it; nobody is told what they did themselves
    rows: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def release(self) -> Release | None:
        """The release that it is about, itself or by its rollout."""
        at = Q(pk=self.subject)
        if self.subject.startswith("rlo_"):
            at = Q(pk__in=Rollout.objects.filter(pk=self.subject).values("release"))
        return Release.objects.filter(at).select_related("version").first()

    @property
    def comment(self) -> Comment | None:
        """The comment that was written or edited."""
        ids = self.named(COMMENT)
        return Comment.objects.filter(pk__in=ids, deleted_at=None).select_related("thread").first()

    def named(self, model: str) -> list[str]:
        """Return the ids of the rows of a model that it wrote."""
        keys = (key.partition(":") for key in self.rows)
        return [pk for label, _, pk in keys if label == model]


def audience(event: Event) -> Iterator[Concerned]:
    """Yield whom ``event`` concerns, in each way, the most telling first: people who may come in,
    but not who did it."""
    body = body_of(event.body)
    scope = Scope(body["project"], body["environment"])
    doer = body["actor"]["accountable"] if body["actor"]["kind"] == "person" else ""
    asked_by = body["data"].get("asked_by")  # of whom the platform did it
    doers = frozenset({doer, *(_people([asked_by]) if asked_by else ())})
    logged = _Logged(body["subject"], scope, doers, states_of(body), body["data"])
    for kind, whom in concerns_of(body["kind"], body["data"]):
        found = _people(_WHOM[whom](logged)) - logged.doers
        if found:
            comment = logged.comment
            if comment is None and logged.named(COMMENT):
                return  # it was deleted meanwhile
            heard = comment if whom in (Whom.MENTIONED, Whom.SPEAKERS) else None
            glass = logged.named(GLASS) if whom in (Whom.COSIGNERS, Whom.GLASS_REVIEWERS) else []
            subject = heard.thread_id if heard else (*glass, logged.subject)[0]
            yield Concerned(kind, subject, frozenset(found), comment.pk if comment else "")


def _people(ids: Iterable[str]) -> set[str]:
    """Return the active people among ``ids``; for a service account its owner."""
    asked = set(ids)
    services = [pk for pk in asked if pk.startswith("svc_")]
    asked |= {*ServiceAccount.objects.filter(pk__in=services).values_list("owner", flat=True)}
    return {*User.objects.filter(pk__in=asked, is_active=True).values_list("pk", flat=True)}


def _deciders(event: _Logged) -> Iterator[str]:
    release = event.release
    missing = missing_roles(release.gates) if release else ()
    for permission, role in ROLE_OF.items():
        if role in missing:
            yield from (person.pk for person in people_with(permission, event.scope))


def _cosigners(event: _Logged) -> Iterator[str]:
    yield from (person.pk for person in people_with("release.approve", event.scope))


def _glass_reviewers(event: _Logged) -> Iterator[str]:
    yield from (person.pk for person in people_with("break_glass.review", event.scope))


def _asked(event: _Logged) -> Iterator[str]:
    yield from (event.data[name] for name in ("person", "deputy") if name in event.data)


def _voided(event: _Logged) -> Iterator[str]:
    for key, row in event.rows.items():
        if row and key.startswith(f"{DECISION}:"):
            yield str(row.get("person", ""))


def _publishers(event: _Logged) -> Iterator[str]:
    yield from (person.pk for person in people_with("policy.publish", event.scope))


def _requester(event: _Logged) -> Iterator[str]:
    if release := event.release:
        yield release.requester


def _operators(event: _Logged) -> Iterator[str]:
    if release := event.release:
        yield release.requester
        last = Rollout.objects.filter(release=release).order_by("-pk").first()
        if last is not None:
            yield last.started_by


def _watchers(event: _Logged) -> set[str]:
    release = event.release
    if release is None:
        return set()
    rows = Watch.objects.filter(Q(release=release) | Q(release=None), project=release.project_id)
    said = list(rows.values_list("person", "release", "is_on"))
    of_release = {person: is_on for person, place, is_on in said if place}
    of_project = {person for person, place, is_on in said if not place and is_on}
    told = of_project | by_themselves(release) | {p for p, is_on in of_release.items() if is_on}
    return told - {person for person, is_on in of_release.items() if not is_on}


def _followers(event: _Logged) -> set[str]:
    """Who watches the project of an alert, but not those whom the alert itself is mailed to."""
    alert = Alert.objects.filter(pk=event.subject).select_related("project").first()
    if alert is None or alert.project_id is None:
        return set()
    rows = Watch.objects.filter(project=alert.project_id, release=None, is_on=True)
    return {*rows.values_list("person", flat=True)} - {person.pk for person in recipients(alert)}


def _builder(event: _Logged) -> Iterable[str]:
    return Build.objects.filter(pk=event.subject).values_list("requested_by", flat=True)


def _mentioned(event: _Logged) -> Iterable[str]:
    comment = event.comment
    return Mention.objects.filter(comment=comment).values_list("person", flat=True)


def _speakers(event: _Logged) -> Iterable[str]:
    comment = event.comment
    thread = comment.thread_id if comment else ""
    return Comment.objects.filter(thread=thread, deleted_at=None).values_list("person", flat=True)


_WHOM: Mapping[Whom, Callable[[_Logged], Iterable[str]]] = {
    Whom.DECIDERS: _deciders,
    Whom.ASKED: _asked,
    Whom.COSIGNERS: _cosigners,
    Whom.GLASS_REVIEWERS: _glass_reviewers,
    Whom.VOIDED: _voided,
    Whom.PUBLISHERS: _publishers,
    Whom.REQUESTER: _requester,
    Whom.OPERATORS: _operators,
    Whom.BUILDER: _builder,
    Whom.MENTIONED: _mentioned,
    Whom.SPEAKERS: _speakers,
    Whom.WATCHERS: _watchers,
    Whom.FOLLOWERS: _followers,
}
