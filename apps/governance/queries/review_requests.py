"""Who was asked by name to review a release, how that stands, and who else can be."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, CharField, Exists, Func, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import JSONObject

from apps.governance.independence import sentence
from apps.governance.models import Decision, Release, ReviewRequest
from apps.governance.queries.absences import Away, absence_of, away_by, away_for
from apps.governance.queries.people import NamedPerson, people_around
from apps.governance.queries.standing import Standings, standings
from apps.governance.queries.still_deciding import still_deciding
from apps.governance.rules import ReleaseState, ReviewRequestState, review_request_state
from apps.identity.queries import name_in, visible
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet.kernel.subqueries import among
from placet_verify.statements import REQUEST_CHANGES

MOST = 20  # people who are asked to review one release at a time


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who was asked by name to review a release, and how that stands."""

    id: str  # of the request
    person: str
    name: str
    requested_by: str
    requested_by_name: str
    requested_at: datetime
    due_at: datetime | None
    state: ReviewRequestState
    away: Away | None  # while they are
    verdict: str = ""  # '' until they answer

    @classmethod
    def of(
        cls, row: Mapping[str, Any], release: Release, made: Iterable[Decision], *, decides: bool
    ) -> Self:
        """Read it as :func:`with_reviewers` brings it, beside the decisions on ``release`` and
        whether the person holds a role that ``decides`` on it."""
        asked, due = datetime.fromisoformat(row["requested_at"]), _moment(row["due_at"])
        verdict = _answer(made, row["person"], asked)
        waits = release.state == ReleaseState.REQUESTED and release.not_after > clock.now()
        state = review_request_state(
            is_answered=bool(verdict), waits=waits, decides=decides, due_at=due, now=clock.now()
        )
        told: dict[str, Any] = {"requested_at": asked, "due_at": due, "state": state}
        told |= {"verdict": verdict, "away": Away.of(row["away"]) if row["away"] else None}
        return cls(**{**row, **told})

    @property
    def is_open(self) -> bool:
        """Whether their answer is waited for."""
        return self.state in (ReviewRequestState.ASKED, ReviewRequestState.OVERDUE)

    @property
    def is_overdue(self) -> bool:
        """Whether it is waited for, and was due."""
        return self.state == ReviewRequestState.OVERDUE


def _answer(made: Iterable[Decision], person: str, asked: datetime) -> str:
    """Return what somebody decided that stands, but not a request for changes after which they
    were asked again."""
    for one in made:
        again = one.verdict == REQUEST_CHANGES and one.created_at < asked
        if one.person == person and not one.voided_reason and not again:
            return one.verdict
    return ""


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class AskedByName:
    """That the reader was asked by name, or somebody ``away`` for whom they stand in, by whom and
    until when."""

    by: str
    due_at: datetime | None
    away: str = ""

    @property
    def is_overdue(self) -> bool:
        """Whether it was due."""
        return self.due_at is not None and self.due_at <= clock.now()

    @property
    def says(self) -> str:
        """Who asked whom, in words."""
        if self.away:
            return f"{self.by} asked {self.away}, who is away and for whom you stand in"
        return f"{self.by} asked you"

    @property
    def told(self) -> str:
        """The same, and until when."""
        if self.due_at is None:
            return self.says
        is_due = "was due" if self.is_overdue else "due"
        return f"{self.says}, {is_due} {self.due_at:%d %B %H:%M} UTC"


def asked_by_name(row: Mapping[str, Any] | None) -> AskedByName | None:
    """Read it as :func:`naming` brings it."""
    if not row:
        return None
    return AskedByName(row["requested_by_name"], _moment(row["due_at"]), row["away"])


def standing_requests(release: str = "pk") -> QuerySet[ReviewRequest]:
    """Return the review requests that stand on a release, whose id a query has in this column."""
    return ReviewRequest.objects.filter(release=OuterRef(release), removed_at=None)


def with_reviewers(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring who was asked by name to review it (``reviewing``), the first asked
    first."""
    told = JSONObject(
        id="pk",
        name=name_in("person"),
        requested_by_name=name_in("requested_by"),
        away=absence_of("person"),
        **{name: name for name in ("person", "requested_by", "requested_at", "due_at")},
    )
    rows = standing_requests().order_by("requested_at", "pk")
    return releases.annotate(reviewing=ArraySubquery(rows.values(json=told)[:MOST]))


def waiting_by_name(person: str) -> QuerySet[ReviewRequest]:
    """Return the review requests that wait for ``person``: asked themselves, or standing in for
    somebody who is away."""
    for_them = Q(person=person) | Q(person__in=away_for(person)) & still_deciding()
    rows = ReviewRequest.objects.filter(removed_at=None, release__state=ReleaseState.REQUESTED)
    return rows.filter(for_them, ~Exists(_answers()))


def waits_by_name(person: str) -> Func:
    """Return the condition under which a release waits for ``person`` by name."""
    return among(waiting_by_name(person).values("release"))


def naming(person: str) -> QuerySet[ReviewRequest, Any]:
    """Return by whom ``person`` was asked to review a release, which a query reads, and until when,
    as JSON; else so of somebody who is away, for whom they stand in."""
    own = When(person=person, then=Value(""))
    told = JSONObject(
        requested_by_name=name_in("requested_by"),
        due_at="due_at",
        away=Case(own, default=name_in("person"), output_field=CharField()),
    )
    first = Case(When(person=person, then=0), default=1)
    rows = ReviewRequest.objects.filter(among(waiting_by_name(person).values("pk")))
    here = rows.filter(release=OuterRef("pk"))
    return here.order_by(first, "requested_at").values(json=told)[:1]


def _answers() -> QuerySet[Decision]:
    """Return what answers a review request, which a query reads: a decision of that person that
    stands, but not a request for changes after which they were asked again."""
    made = Decision.objects.filter(
        release=OuterRef("release"), person=OuterRef("person"), voided_reason=""
    )
    return made.exclude(verdict=REQUEST_CHANGES, created_at__lt=OuterRef("requested_at"))


def answers_of(person: str) -> QuerySet[Decision]:
    """Return the decisions of ``person`` that stand, but not a request for changes after which they
    were asked again: that waits for them anew."""
    rows = Decision.objects.filter(person=person, voided_reason="")
    again = standing_requests("release").filter(
        person=person, requested_at__gt=OuterRef("created_at")
    )
    return rows.exclude(Q(Exists(again)), verdict=REQUEST_CHANGES)


def unanswered() -> QuerySet[ReviewRequest]:
    """Return the review requests that stand on releases which wait, and that were not answered by
    who can still do so."""
    return ReviewRequest.objects.filter(
        still_deciding(),
        ~Exists(_answers()),
        removed_at=None,
        release__state=ReleaseState.REQUESTED,
        release__not_after__gt=clock.now(),
    )


def why_not_asked(release: Release, person: NamedPerson, known: Standings) -> str:
    """Say why nobody can ask ``person``, who holds a role that decides, to review a release; ''
    where they can be asked. ``known`` says where they stand."""
    asked = [role for role in person.roles if release.policy.approvals.asks(role)]
    if not asked:
        roles = " or ".join(person.roles)
        return f"{person.name} cannot review it: the policy asks for no approval as {roles}"
    decider = known.decider(release, person.id)
    if not decider.admitted(asked):
        return f"{person.name} cannot review it: they requested it or created its version"
    if decider.counting(asked):
        return ""
    return sentence(person.name, decider.why_not(asked))


def may_be_asked(
    release: Release,
    people: Iterable[NamedPerson],
    *,
    decided: Sequence[str],
    known: Standings,
) -> list[NamedPerson]:
    """Return who of ``people`` can be asked by name to review a release that waits: they may decide
    on it and have not, or asked for changes."""
    if release.state != ReleaseState.REQUESTED:
        return []
    left = (person for person in people if person.id not in decided)
    return [person for person in left if not why_not_asked(release, person, known)]


def _with_deputy(
    away: Away,
    release: Release,
    people: Iterable[NamedPerson],
    known: Standings,
    answered: Collection[str],
) -> Away:
    """Return who stands in before a release, or why nobody does: the deputy is not among the
    ``people`` who hold a role that decides there, cannot decide on it, has ``answered`` or is away.

    Who holds none there is not named: who reads it may not know them."""
    found = next((person for person in people if person.id == away.deputy), None)
    if found is None:
        nobody = "their deputy cannot decide on it"
        return replace(away, deputy="", name="", passed_over=nobody)
    why = why_not_asked(release, found, known)
    if not why and found.id in answered:
        why = f"{found.name} has decided on it already"
    if not why and away.deputy_away:
        why = f"{found.name} is away too"
    return replace(away, passed_over=why)


def _answered(made: Sequence[Decision], asked: Mapping[str, datetime]) -> set[str]:
    """Return who has decided, but not who requested changes and was ``asked`` by name since."""
    before = datetime.min.replace(tzinfo=UTC)
    return {one.person for one in made if _answer(made, one.person, asked.get(one.person, before))}


def reviewers_of(
    release: Release,
    rows: Iterable[Mapping[str, Any]],
    made: Sequence[Decision],
    people: Sequence[NamedPerson],
    known: Standings,
) -> list[Reviewer]:
    """Return who was asked by name to review ``release``, as :func:`with_reviewers` brings it, and
    who of the ``people`` that decide there stands in for them."""
    asks = release.policy.approvals.asks
    decide = {person.id for person in people if any(asks(role) for role in person.roles)}
    told = list(rows)
    asked = {row["person"]: datetime.fromisoformat(row["requested_at"]) for row in told}
    answered, found = _answered(made, asked), []
    for row in told:
        one = Reviewer.of(row, release, made, decides=row["person"] in decide)
        if one.away is not None:
            one = replace(one, away=_with_deputy(one.away, release, people, known, answered))
        found.append(one)
    return found


def deciding_on(release: Release) -> tuple[Sequence[NamedPerson], Standings]:
    """Return who holds a role that decides on a release, and how they stand towards it."""
    people = people_around(release, ()).deciders
    recalled = [person.id for person in people if person.is_recalled]
    return people, standings([release], [person.id for person in people], recalled)


def deputies(
    release: Release, away: Iterable[str], people: Sequence[NamedPerson], known: Standings
) -> dict[str, str]:
    """Return who stands in before a release, by the ids of those who are away."""
    rows = away_by(away)
    if not rows:
        return {}
    stand = ReviewRequest.objects.filter(release=release, removed_at=None)
    asked = dict(stand.values_list("person", "requested_at"))
    answered = _answered(list(Decision.objects.filter(release=release)), asked)
    found = {p: _with_deputy(row, release, people, known, answered) for p, row in rows.items()}
    return {person: row.deputy for person, row in found.items() if not row.passed_over}


def reviewers(release: Release) -> list[Reviewer]:
    """Return who was asked by name to review a release that its reader may see."""
    found: Any = with_reviewers(Release.objects.filter(pk=release.pk)).only("pk").get()
    made = Decision.objects.filter(release=release).order_by("created_at", "pk")
    return reviewers_of(release, found.reviewing, list(made), *deciding_on(release))


def review_request(request_id: str, actor: Actor) -> ReviewRequest:
    """Return one review request by id, or raise ``NotFound``."""
    rows = ReviewRequest.objects.filter(pk=request_id).select_related("release")
    row = visible(rows, actor, view="release.view").first()
    if row is None:
        raise NotFound
    return row
