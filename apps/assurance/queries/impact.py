"""What a recall would reach: from what is recalled to Bentos, releases, endpoints and nodes.

The same functions answer the preview and, with everything held, the recall itself.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.assurance.errors import KeyInUse
from apps.assurance.models import EffectAction, RecallKind
from apps.assurance.queries.aborted_along import aborting_along
from apps.assurance.queries.outcomes import recalls_that_revoked
from apps.assurance.rules import FORMS, IN_PROJECT, SIGNERS, written
from apps.builds.models import Bento
from apps.governance.models import Environment, Release
from apps.governance.queries.uncounting import uncounting
from apps.governance.rules import REVOCABLE, ReleaseState
from apps.identity.models import ApproverPasskey, Project, User
from apps.identity.queries import authorize
from apps.registry.models import ModelVersion
from apps.registry.queries import large_of
from apps.rollouts.pauses import stands, with_going
from apps.rollouts.queries import may_serve_again
from apps.serving.hooks import keeper
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import PRESENT, EndpointState, RevisionState
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_verify.errors import Refused
from placet_verify.permit.permit import holds
from placet_verify.recalls import Uncounted
from placet_verify.signing.keys import KeyRing
from placet_verify.statements import RecalledNames

SIGNING = ("build", "decision")  # keys of what runs; of the others the list of keys is enough


@dataclass(frozen=True, slots=True)
class RecallSubject:
    """What is recalled, checked: it exists, and belongs where it is recalled."""

    kind: str
    what: str
    project: Project | None = None
    purpose: str = ""  # of a key
    passkeys: tuple[str, ...] = ()  # a passkey's credential, and those that it vouches for

    @property
    def uncounted(self) -> Uncounted:
        """Whose signatures on permits count no more."""
        return Uncounted(
            keys=frozenset({self.what} if self.kind == RecallKind.KEY else ()),
            passkeys=frozenset(self.passkeys),
            people=frozenset({self.what} if self.kind == RecallKind.PERSON else ()),
        )


@dataclass(frozen=True, slots=True)
class RecallReach:
    """The Bentos that must not run, and every release that falls, by id."""

    subject: RecallSubject
    bentos: tuple[str, ...]
    releases: tuple[Release, ...]

    @property
    def names(self) -> RecalledNames:
        """What the signed statement names."""
        uncounted = self.subject.uncounted
        return RecalledNames.of(
            bentos=self.bentos,
            releases=[release.pk for release in self.releases],
            keys=uncounted.keys,
            passkeys=uncounted.passkeys,
            people=uncounted.people,
        )


@dataclass(slots=True)
class ReleaseImpact:
    """What would become of one release that a recall reaches."""

    release: Release
    revisions: list[Revision] = field(default_factory=list)
    action: str = EffectAction.REVOKED
    fallback: Revision | None = None
    revoking: Mapping[str, Any] | None = None  # the recall that revoked it before
    along: Mapping[str, Any] | None = None  # the rollout of another release that would be aborted
    serving: int | None = None  # the number of what goes on serving there; 0: nothing; None: unsaid

    @property
    def stands(self) -> str:
        """How the release stands, as people are told."""
        return stands(self.release)


def check_place(kind: str, project: Project | None) -> None:
    """Raise :class:`InvalidInput` unless a project is named for what belongs to one, and only
    then."""
    if (kind in IN_PROJECT) == (project is not None):
        return
    belongs = f"Name the project that the {kind} belongs to"
    detail = belongs if kind in IN_PROJECT else "Leave empty: it applies to all projects"
    raise InvalidInput(errors=[FieldError("/project", detail)])


def subject_of(kind: str, text: str, project: Project | None, ring: KeyRing) -> RecallSubject:
    """Return what ``text`` names, or raise :class:`NotFound` or :class:`InvalidInput`."""
    what = written(kind, text)
    if what is None:
        raise InvalidInput(errors=[FieldError("/what", FORMS[kind])])
    match kind:
        case RecallKind.VERSION:
            exists = ModelVersion.objects.filter(pk=what, project=project).exists()
        case RecallKind.BENTO:
            exists = Bento.objects.filter(pk=what, project=project).exists()
        case RecallKind.PERSON:
            exists = User.objects.filter(pk=what).exists()
        case RecallKind.KEY:
            return _key(what, ring)
        case RecallKind.PASSKEY:
            return _passkey(what)
        case _:
            exists = True  # a dataset or a wheel: it may come yet, and must not
    if not exists:
        raise NotFound(f"There is no such {kind} here")
    return RecallSubject(kind, what, project)


def _key(what: str, ring: KeyRing) -> RecallSubject:
    try:
        entry = ring.get(what)
    except Refused:
        raise NotFound("There is no such key") from None
    if entry.purpose not in SIGNING:
        detail = f"A key for {entry.purpose} signs nothing that runs: declare it lost instead"
        raise InvalidInput(errors=[FieldError("/what", detail)])
    if entry.valid_until is None:
        raise KeyInUse
    return RecallSubject(RecallKind.KEY, what, purpose=entry.purpose)


def _passkey(what: str) -> RecallSubject:
    """Return a passkey with those that it vouches for, and so on: nobody counts by it alone."""
    own = ApproverPasskey.objects.filter(pk=what).first()
    if own is None:
        raise NotFound("There is no such passkey")
    credentials, newest = {own.pk: own.credential}, [own.pk]
    while newest:
        rows = ApproverPasskey.objects.filter(vouched_by__in=newest).exclude(pk__in=credentials)
        newest = [row.pk for row in rows]
        credentials |= {row.pk: row.credential for row in rows}
    return RecallSubject(RecallKind.PASSKEY, what, passkeys=tuple(sorted(credentials.values())))


def foresee(
    actor: Actor, *, kind: str, what: str, project: Project | None, ring: KeyRing
) -> RecallReach:
    """Return what a recall would reach. Needs ``recall.create`` where it would count."""
    check_place(kind, project)
    authorize(actor, "recall.create", project, view="recall.view")
    return reach(subject_of(kind, what, project, ring), ring)


def reach(subject: RecallSubject, ring: KeyRing) -> RecallReach:
    """Return what a recall of ``subject`` reaches now."""
    if subject.kind in (RecallKind.KEY, *SIGNERS) and subject.purpose != "build":
        return RecallReach(subject, (), tuple(_fallen(subject, ring)))
    digests = tuple(_bentos(subject).order_by("pk").values_list("pk", flat=True))
    rows = _releases().filter(bento__in=digests)
    ran = Exists(Revision.objects.filter(release=OuterRef("pk")))
    return RecallReach(subject, digests, tuple(rows.filter(Q(state__in=REVOCABLE) | ran)))


def _releases() -> QuerySet[Release]:
    rows = Release.objects.select_related(
        "project", "environment", "endpoint__target__node", "version__model", "policy"
    )
    return with_going(rows.defer(*large_of("version"))).order_by("pk")


def _bentos(subject: RecallSubject) -> QuerySet[Bento]:
    what, rows = subject.what, Bento.objects.all()
    if subject.project is not None:
        rows = rows.filter(project=subject.project)
    match subject.kind:
        case RecallKind.VERSION:
            return rows.filter(version=what)
        case RecallKind.BENTO:
            return rows.filter(pk=what)
        case RecallKind.DATASET:
            return rows.filter(version__lineage__datasets__contains=[{"digest": what}])
        case RecallKind.WHEEL:
            sha256 = what.removeprefix("sha256:")
            return rows.filter(runtime__wheels__contains=[{"sha256": sha256}])
    return rows.filter(provenance__contains=f'"keyid":"{what}"')


def touched_by(subject: RecallSubject) -> Q:
    """Select releases that bear a signature which counts no more; whether they fall by it is
    another question."""
    match subject.kind:
        case RecallKind.PERSON:
            return Q(decisions__person=subject.what) | Q(
                break_glasses__signatures__person=subject.what
            )
        case RecallKind.PASSKEY:
            keys = list(subject.passkeys)
            return (
                Q(decisions__assertion__credential__in=keys)
                | Q(policy__assertion__credential__in=keys)
                | Q(break_glasses__signatures__assertion__credential__in=keys)
            )
    keyid = f'"keyid":"{subject.what}"'
    return (
        Q(request_envelope__contains=keyid)
        | Q(decisions__envelope__contains=keyid)
        | Q(policy__envelope__contains=keyid)
        | Q(break_glasses__signatures__envelope__contains=keyid)
    )


def voided_by(found: RecallReach) -> QuerySet[Release, Any]:
    """Return the releases that wait and do not fall, of which decisions or emergency releases go
    void, as :func:`~apps.governance.queries.uncounting.uncounting` has them."""
    if found.subject.kind not in SIGNERS:
        return Release.objects.none()
    gone = [release.pk for release in found.releases]
    return uncounting(found.subject.uncounted).exclude(pk__in=gone)


def _fallen(subject: RecallSubject, ring: KeyRing) -> list[Release]:
    """Return the releases that were let in by a permit which does not hold any more, and those
    not started yet that can have none: their request or their policy does not count."""
    touched = Release.objects.filter(touched_by(subject)).values("pk")
    rows = list(_releases().filter(pk__in=touched))
    permits: dict[str, list[str]] = {row.pk: [] for row in rows}
    revisions = Revision.objects.filter(release__in=permits).values_list("release", "permit")
    for release, permit in revisions:
        permits[release].append(permit)
    gone = subject.uncounted | keeper().uncounted()  # as every node counts
    return [
        row
        for row in rows
        if any(_falls(permit, ring, gone) for permit in permits[row.pk])
        or (not permits[row.pk] and row.state in REVOCABLE and _hopeless(row, subject))
    ]


def _falls(permit: str, ring: KeyRing, uncounted: Uncounted) -> bool:
    try:
        holds(permit, ring, uncounted=uncounted)
    except Refused:
        return True
    return False


def _hopeless(release: Release, subject: RecallSubject) -> bool:
    """Tell whether no decision can let a release in that has not started."""
    if subject.kind == RecallKind.KEY:
        keyid = f'"keyid":"{subject.what}"'
        return keyid in release.request_envelope or keyid in release.policy.envelope
    publisher = (release.policy.assertion or {}).get("credential")
    return subject.kind == RecallKind.PASSKEY and publisher in subject.passkeys


def preview(found: RecallReach) -> list[ReleaseImpact]:
    """Return what would become of every release that is reached (four queries at most)."""
    impacts = {release.pk: ReleaseImpact(release) for release in found.releases}
    behind = {release.endpoint_id for release in found.releases}
    by_endpoint: dict[str, list[Revision]] = {}
    there = Revision.objects.filter(endpoint__in=behind).defer("permit")
    good = Exists(may_serve_again().filter(pk=OuterRef("pk")))
    rows: QuerySet[Any] = there.annotate(along=aborting_along(impacts), good=good)
    former = set()
    for revision in rows.order_by("-number"):
        by_endpoint.setdefault(revision.endpoint_id, []).append(revision)
        if revision.release in impacts:
            impacts[revision.release].revisions.append(revision)
            impacts[revision.release].along = impacts[revision.release].along or revision.along
        elif revision.good:
            former.add(revision.pk)
    gone = [pk for pk, one in impacts.items() if one.release.state == ReleaseState.REVOKED]
    for pk, recall in recalls_that_revoked(gone).items():
        impacts[pk].revoking = recall
    for impact in impacts.values():
        every = by_endpoint.get(impact.release.endpoint_id, [])
        _foresee(impact, every, former)
        impact.serving = _serving(impact, every, impacts)
    return list(impacts.values())


def _foresee(impact: ReleaseImpact, every: Collection[Revision], former: Collection[str]) -> None:
    """Say what would be done; ``every`` revision of the endpoint is given, the newest first, and
    the ids of ``former`` ones that it may fall back to."""
    states = {revision.state for revision in impact.revisions}
    if RevisionState.LIVE not in states:
        impact.action = EffectAction.ENDED if states & PRESENT else EffectAction.REVOKED
        return
    live = next(revision for revision in impact.revisions if revision.state == RevisionState.LIVE)
    good = (row for row in every if row.number < live.number and row.pk in former)
    falls_back = impact.release.environment.on_recall == "fall_back"
    impact.fallback = next(good, None) if falls_back else None
    impact.action = EffectAction.FELL_BACK if impact.fallback else EffectAction.STOPPED


def _serving(
    impact: ReleaseImpact, every: Collection[Revision], reached: Collection[str]
) -> int | None:
    """Return the number of the revision that goes on serving, 0 where there is none. Of what is
    live and reached itself another line says what becomes."""
    if impact.release.endpoint.state != EndpointState.ACTIVE:
        return None
    live = next((row for row in every if row.state == RevisionState.LIVE), None)
    if live is None:
        return 0
    return None if live.release in reached else live.number


def stopping_among(endpoints: Iterable[Endpoint]) -> set[str]:
    """Return those whose environments say to stop rather than to fall back."""
    places = Environment.objects.filter(on_recall="stop").values_list("project", "name")
    stopping = set(places)
    return {one.pk for one in endpoints if (one.project_id, one.environment) in stopping}
