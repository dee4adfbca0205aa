"""What stands still in environments: policy drafts that the reader may publish, and releases that
wait for an approval that nobody can give, for those who see who has access; of releases that a page
lists, that too few people could decide. And what would stand still without a role, or a person."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    Func,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import JSONArray, JSONObject

from apps.governance import rules
from apps.governance.approvals import ApprovalPolicy, Decider, Parties
from apps.governance.models import Decision, Environment, PolicyRevision, Release
from apps.governance.queries.deciders import (
    RoleHolders,
    deciders,
    holding,
    lacks_publisher,
    seats_there,
    with_deciders,
)
from apps.governance.queries.lifting import DECIDES, GONE, WITHDRAWS, lifts
from apps.governance.queries.visible_rows import INBOX_LIMIT, followed_drafts, publishable_drafts
from apps.governance.rules import ReleaseState
from apps.governance.seats import Seat, Shortage, excluded_by, shortages
from apps.identity.models import RoleBinding, TeamMember, User
from apps.identity.queries import scope_of, visible
from apps.identity.rules.permissions import roles_with
from placet.kernel.actor import Actor
from placet_verify.statements import REQUEST_CHANGES

Lacking = tuple[Mapping[str, Any], list[Shortage]]  # a release, and what nobody can give it
NAMED = 5  # releases of an environment by name, then how many more


@dataclass(frozen=True, slots=True)
class StuckRelease:
    """A release that waits for what nobody can give."""

    id: str
    number: int
    version: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """An environment, how many releases wait there for what nobody can give, and as which roles;
    ``named`` are the oldest of them.

    ``some_could`` says that somebody could give one of the approvals, but not all: each decides
    once. Of ``failed`` of the releases a gate has failed as well, which an approval does not mend.
    """

    environment: Environment
    releases: int
    roles: tuple[str, ...]
    some_could: bool = False
    failed: int = 0
    named: tuple[StuckRelease, ...] = ()


@dataclass(frozen=True, slots=True)
class Without:
    """What would stand still in an environment without a role or a person, and does not now."""

    environment: Environment
    stuck: Stuck | None
    drafts: tuple[PolicyRevision, ...]  # that nobody could publish
    unliftable: int  # releases on which changes are requested that nobody could lift
    withdrawable: int  # and where who requested them could withdraw that, and not decide again

    def __bool__(self) -> bool:
        return bool(self.stuck or self.drafts or self.unliftable or self.withdrawable)


@dataclass(frozen=True, slots=True)
class Standstill:
    """What stands still in the environments that a reader sees."""

    drafts: list[PolicyRevision]  # oldest first
    stuck: list[Stuck]
    followed: list[PolicyRevision]  # so also those that others have to publish
    too_few: Mapping[str, str]  # by the id of a listed release, that too few people could decide


def standstill(actor: Actor, listed: Iterable[Release] = ()) -> Standstill:
    """Return the policy drafts that ``actor`` may publish; and where releases wait for an approval
    by a role that too few hold who can still decide and are not excluded as requester or author: of
    the oldest that wait, in the environments whose access ``actor`` sees (one query). There, and of
    their own, also the drafts that others publish. And which of the ``listed`` releases, which
    ``actor`` sees, wait for more people than could decide.

    Who was invited and has not signed in yet, still has to set up a second factor or a passkey, or
    stands in the wrong line, is taken for somebody who can: so what is said here is true, and not
    all that could be.
    """
    seen = visible(Environment.objects.all(), actor, view="access.view").values("pk")
    drafts, followed = _drafts(actor), _here(followed_drafts(actor))
    shown = {row.pk: row.environment_id for row in listed if row.state == ReleaseState.REQUESTED}
    some = Q(Exists(_waiting()), pk__in=seen) | Exists(drafts) | Exists(followed)
    some |= Q(pk__in={*shown.values()})
    told = _with_drafts(Environment.objects.filter(some), drafts).annotate(
        waiting=ArraySubquery(_waiting_as_json()), followed=ArraySubquery(_told(followed))
    )
    rows = list(told.order_by("project__name", "name"))
    lacking = [(place, _lacking(place, deciders(place, actor))) for place in rows]
    there = [one for one in lacking if actor.can("access.view", scope_of(one[0]))]
    stuck = [row for place, short in there if (row := _stuck(place, short))]
    mine = _oldest(rows)
    known = {draft.pk for draft in mine}
    others = [draft for draft in _oldest(rows, "followed") if draft.pk not in known]
    said = (one for place, short in lacking for one in _said(short, deciders(place, actor)))
    few = {pk: sentence for pk, sentence in said if pk in shown}
    return Standstill(mine, stuck, others, few)


def still_without(gone: RoleBinding | User, actor: Actor) -> list[Without]:
    """Return where more than now would stand still were a role taken away, or a person deactivated,
    and that alone; in the environments where ``actor`` sees who decides (one query)."""
    places = Environment.objects.filter(Exists(_reaching(gone))).select_related("project")
    drafts = _here(followed_drafts(actor))
    told = with_deciders(places.filter(Exists(_waiting()) | Exists(drafts))).annotate(
        waiting=ArraySubquery(_waiting_as_json()),
        followed=ArraySubquery(_told(drafts)),
        left=ArraySubquery(holding(without=gone)),
        asking=ArraySubquery(_asking(gone)),
    )
    found = (_without(place, actor) for place in told.order_by("project__name", "name"))
    return [one for one in found if one]


def _without(place: Any, actor: Actor) -> Without | None:
    now = deciders(place, actor)
    if not now:
        return None
    place.deciding = place.left
    then = deciders(place, actor)
    known = [row["id"] for row, _ in _lacking(place, now)]
    stuck = [one for one in _lacking(place, then) if one[0]["id"] not in known]
    drafts = _drafts_in(place, place.followed)
    lost = [d for d in drafts if _unpublishable(d, then) and not _unpublishable(d, now)]
    held = {row for row, before, after in place.asking if after in GONE and before not in GONE}
    back = {row for row, *both in place.asking if both == [DECIDES, WITHDRAWS]}
    found = Without(place, _stuck(place, stuck), tuple(lost), len(held), len(back - held))
    return found or None


def _reaching(gone: RoleBinding | User) -> QuerySet[RoleBinding]:
    """Return the role that is ``gone``, or those of the person, where it reaches an environment
    that a query reads and shows its releases."""
    own = Q(pk=gone.pk)
    if isinstance(gone, User):
        own = Q(person=gone) | Q(team__memberships__person=gone)
    here = Q(environment="") | Q(environment=OuterRef("name"))
    reaches = Q(project=None) | here & Q(project=OuterRef("project"))
    return RoleBinding.objects.filter(own, reaches, role__in=roles_with("release.view"))


def _asking(gone: RoleBinding | User) -> QuerySet[Decision, Any]:
    """Return of each standing request for changes in an environment that a query reads, by those
    who lose something, its release, and what they can do about it now and then."""
    then: Case | Value = Value("")  # what it is of who was deactivated
    whose = Q(person=gone.pk)
    if isinstance(gone, RoleBinding):
        members = TeamMember.objects.filter(team=gone.team_id).values("person")
        whose, then = Q(person=gone.person_id) | Q(person__in=members), lifts(without=gone.pk)
    waits = {"release__environment": OuterRef("pk"), "release__state": ReleaseState.REQUESTED}
    asked = Decision.objects.filter(whose, **waits, voided_reason="", verdict=REQUEST_CHANGES)
    return asked.values(json=JSONArray("release", lifts(), then))


def _unpublishable(draft: PolicyRevision, holders: Sequence[RoleHolders]) -> bool:
    short = shortages(seats_there(draft.document["gates"], holders))
    return bool(short) or lacks_publisher(draft.drafted_by, holders)


def _drafts(actor: Actor) -> QuerySet[PolicyRevision]:
    """Return the policy drafts of an environment that ``actor`` may publish."""
    return _here(publishable_drafts(actor))


def _here(drafts: QuerySet[PolicyRevision]) -> QuerySet[PolicyRevision]:
    return drafts.filter(environment=OuterRef("pk")).order_by("created_at")


def _with_drafts(
    places: QuerySet[Environment], drafts: QuerySet[PolicyRevision]
) -> QuerySet[Environment, Any]:
    return with_deciders(places.select_related("project")).annotate(
        drafts=ArraySubquery(_told(drafts))
    )


def _told(drafts: QuerySet[PolicyRevision]) -> QuerySet[PolicyRevision, Any]:
    told = JSONArray("pk", "number", "created_at", "drafted_by", "document__gates")
    return drafts.values(json=told)[:INBOX_LIMIT]


def _oldest(places: Iterable[Any], which: str = "drafts") -> list[PolicyRevision]:
    found = [draft for place in places for draft in _drafts_in(place, getattr(place, which))]
    return sorted(found, key=lambda draft: draft.created_at)[:INBOX_LIMIT]


def _drafts_in(place: Any, told: Any) -> Iterator[PolicyRevision]:
    for pk, number, at, author, gates in told or ():  # none at all for who may publish nowhere
        yield PolicyRevision(
            pk=pk,
            environment=place,
            project_id=place.project_id,
            number=number,
            created_at=datetime.fromisoformat(at),
            drafted_by=author,
            document={"gates": gates},
        )


def _lacking(place: Any, holders: Iterable[RoleHolders]) -> list[Lacking]:
    there = {row.role: row for row in holders}
    here = place.waiting if there else ()
    return [(row, short) for row in here if (short := _too_few(row, there))]


def _said(lacking: Iterable[Lacking], holders: Iterable[RoleHolders]) -> Iterator[tuple[str, str]]:
    """Yield the id of each release that too few of the ``holders`` could decide on, and that in
    words."""
    names = {person.id: person.name for row in holders for person in row.people}
    for release, short in lacking:
        yield release["id"], ". ".join(one.said(names) for one in short)


def _stuck(place: Environment, lacking: Sequence[Lacking]) -> Stuck | None:
    if not lacking:
        return None
    found = [one for _, short in lacking for one in short]
    return Stuck(
        place,
        len(lacking),
        tuple(sorted({role for short in found for role in short.roles})),
        some_could=any(short.people for short in found),
        failed=sum(row["failed"] for row, _ in lacking),
        named=tuple(
            StuckRelease(row["id"], row["number"], f"{row['model']}:{row['version']}")
            for row, _ in lacking[:NAMED]
        ),
    )


def _waiting() -> QuerySet[Release]:
    return Release.objects.filter(environment=OuterRef("pk"), state=ReleaseState.REQUESTED)


def _waiting_as_json() -> QuerySet[Release, Any]:
    standing = Decision.objects.filter(release=OuterRef("pk"), voided_reason="")
    decided = standing.exclude(verdict=REQUEST_CHANGES).values("person")
    said = JSONObject(
        id="pk",
        number="number",
        model="version__model__name",
        version="version__number",
        requester="requester",
        author="version__author",
        gates=_approvals("gates"),
        failed=_has_failed("gates"),
        policy=_approvals("policy__document__gates"),
        decided=ArraySubquery(decided),
    )
    return _waiting().order_by("created_at", "pk").values(json=said)[:INBOX_LIMIT]


def _has_failed(gates: str) -> Func:
    """Return the expression for whether a gate of a column has failed."""
    failed = '$[*] ? (@.state == "failed" || @.state == "error")'
    template = f"jsonb_path_exists(%(expressions)s, '{failed}')"
    return Func(F(gates), template=template, output_field=BooleanField())


def _approvals(gates: str) -> Func:
    """Return the expression for the gates of a column that ask people: others say much more."""
    path = "jsonb_path_query_array(%(expressions)s, '$[*] ? (@.gate == \"approvals\")')"
    return Func(F(gates), template=path, output_field=JSONField())


def _too_few(release: Mapping[str, Any], holders: Mapping[str, RoleHolders]) -> list[Shortage]:
    """Return for which missing approvals of a release there are too few people."""
    policy = ApprovalPolicy.of({"gates": release["policy"]})
    parties = Parties(release["requester"], release["author"])

    def able(role: str) -> tuple[str, ...]:
        held = (one.id for one in holders[role].able if one.id not in release["decided"])
        return tuple(pk for pk in held if Decider(pk, policy, parties).admitted([role]))

    def excluded(role: str) -> tuple[str, ...]:
        return excluded_by([gate for gate in release["policy"] if gate["role"] == role])

    return shortages(
        [
            Seat(role, able(role), excluded(role))
            for role, missing in rules.missing_people(release["gates"]).items()
            if role in holders and not holders[role].is_cut
            for _ in range(missing)
        ]
    )
