"""What somebody may see: environments, policies, releases, and their inbox."""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import JSONObject

from apps.discussions.queries import open_threads
from apps.governance import rules
from apps.governance.independence import sentence
from apps.governance.models import (
    BreakGlass,
    Comment,
    Decision,
    Environment,
    PolicyRevision,
    Release,
)
from apps.governance.queries.open_break_glasses import GLASS, VisibleBreakGlass, glasses_beside
from apps.governance.queries.policy_history import with_ends
from apps.governance.queries.review_requests import (
    answers_of,
    asked_by_name,
    naming,
    waits_by_name,
)
from apps.governance.queries.standing import standings
from apps.governance.queries.waiting import overtaking, with_waiting
from apps.governance.rules import GLASS_OPEN, PolicyState, ReleaseState
from apps.identity.models import Project
from apps.identity.queries import one_of, scope_of, visible
from apps.registry.queries import large_of
from apps.serving.hooks import keeper
from apps.serving.rules import EndpointState
from placet.kernel import clock
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import NotFound
from placet.kernel.subqueries import among

INBOX_LIMIT = 200
ReadAlong = Callable[[QuerySet[Release]], QuerySet[Release]]
WHOLE = ("project", "environment", "endpoint__target", "version__model", "policy")
LONG = (  # documents of many lines, which no list shows
    "request_envelope",
    "policy__source",
    "policy__envelope",
    *large_of("version"),
    "version__tags",
    "version__model__description",
)


@dataclass(frozen=True, slots=True)
class Menu:
    """What every page says: how many releases :func:`inbox` would return, by the id of their
    project, and whose glass is broken."""

    waiting: Counter[str]
    glasses: list[VisibleBreakGlass]
    beside: Any = None  # a row with what was read along; None where there is no release at all


def environments(project: Project, actor: Actor) -> QuerySet[Environment]:
    """Return the project's environments in order, with targets and the policy in force."""
    published = PolicyRevision.objects.filter(state=PolicyState.PUBLISHED).order_by("-number")
    return (
        visible(Environment.objects.filter(project=project), actor)
        .select_related("project", "promote_to")
        .prefetch_related("targets", Prefetch("policies", published, to_attr="published"))
        .order_by("position", "pk")
    )


def environment(
    project: Project,
    name: str,
    actor: Actor,
    read_along: Callable[[QuerySet[Environment]], QuerySet[Environment]] | None = None,
) -> Environment:
    """Return one environment by name, or raise ``NotFound``; ``read_along`` has the query bring
    more of it."""
    rows = environments(project, actor).filter(name=name)
    row = (read_along(rows) if read_along else rows).first()
    if row is None:
        raise NotFound
    return row


def policies(environment: Environment, actor: Actor) -> QuerySet[PolicyRevision]:
    """Return an environment's policy revisions."""
    rows = PolicyRevision.objects.filter(environment=environment).select_related(
        "environment__project"
    )
    return visible(rows, actor, view="policy.view")


def policy(environment: Environment, number: int, actor: Actor) -> PolicyRevision:
    """Return one revision by number with how it ended and how many discussions of it are open, or
    raise ``NotFound``."""
    rows = with_ends(policies(environment, actor)).annotate(open_threads=open_threads("policy"))
    row: PolicyRevision | None = rows.filter(number=number).first()
    if row is None:
        raise NotFound
    return row


def releases(
    actor: Actor,
    *,
    project: Project | str | None = None,
    environment: str = "",
    state: str = "",
    model: str = "",
    endpoint: str = "",
    version: str = "",
) -> QuerySet[Release]:
    """Return releases, newest first; every filter that is given must match.

    A project is given as it is or by its slug.
    """
    rows = Release.objects.select_related(*WHOLE).defer(*LONG)
    wanted = {
        "project__slug" if isinstance(project, str) else "project": project,
        "environment__name": environment,
        "state": state,
        "version__model__name": model,
        "endpoint__name": endpoint,
        "version": version,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    return visible(rows, actor, view="release.view").order_by("-pk")


def release(release_id: str, actor: Actor, read_along: ReadAlong | None = None) -> Release:
    """Return one release by id with all that its page needs, or raise ``NotFound``.

    ``read_along`` has the same query bring more.
    """
    row = whole_releases(Release.objects.filter(pk=release_id), actor, read_along).first()
    if row is None:
        raise NotFound
    return row


def whole_releases(
    rows: QuerySet[Release], actor: Actor, read_along: ReadAlong | None
) -> QuerySet[Release]:
    """Return those of ``rows`` that ``actor`` may see, with all that a release's page needs, and
    whether no decision of theirs counts (``reader_recalled``) and how many discussions are open
    (``open_threads``)."""
    rows = rows.annotate(
        reader_recalled=keeper().uncounts(Value(actor.accountable)),
        open_threads=open_threads("release"),
    )
    rows = rows.select_related(
        "project",
        "environment",
        "endpoint__target",
        "version__model",
        "bento__build",
        "bento__runtime",
        "policy",
    )
    rows = with_waiting(visible(rows, actor, view="release.view"))
    return read_along(rows) if read_along else rows


def decision(decision_id: str, actor: Actor) -> Decision:
    """Return one decision by id with what was kept with it, or raise ``NotFound``."""
    rows = Decision.objects.filter(pk=decision_id).select_related(
        "release__policy", "release__environment", "record"
    )
    row = visible(rows, actor, view="release.view").first()
    if row is None:
        raise NotFound
    return row


def decisions(of: Release, actor: Actor) -> QuerySet[Decision]:
    """Return the decisions on a release, voided ones too."""
    rows = Decision.objects.filter(release=of).select_related("release__environment")
    return visible(rows, actor, view="release.view")


def comments(of: Release, actor: Actor) -> QuerySet[Comment]:
    """Return the comments on a release."""
    rows = Comment.objects.filter(release=of).select_related("release__environment")
    return visible(rows, actor, view="release.view")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: ``needed`` for this person's decision; ``barred`` for one of their role, which
    they cannot give, and why, in a sentence; whose glass is broken meanwhile; and whether they
    decide anywhere.

    ``is_cut`` where more wait than are looked at: :data:`INBOX_LIMIT`, those first that they
    were asked for by name, then the oldest."""

    needed: list[Release]
    barred: list[tuple[Release, str]]
    glasses: list[VisibleBreakGlass]
    decides: bool
    beside: Any = None  # as in ``Menu``
    is_cut: bool = False

    @property
    def rows(self) -> list[Release]:
        """The releases that wait."""
        return [*self.needed, *(row for row, _ in self.barred)]

    @property
    def size(self) -> int:
        """How many releases wait."""
        return len(self.rows)


def waiting_on(actor: Actor, read_along: ReadAlong | None = None) -> Waiting:
    """Return the releases where this person's role is missing, or which they were asked by name to
    review (``by_name``), and this person has not decided.

    Those first that they were asked for, then the oldest: it waits longest. One query, and one more
    where policies have rules about independence; what the gates answered last says who is missing.
    """
    with_lineage = [name for name in LONG if name != "version__lineage"]
    whole = _waiting_or_broken(actor, read_along).select_related(*WHOLE).defer(*with_lineage)
    found: list[Any] = list(whole.annotate(named=Subquery(naming(actor.id))))
    rows = _concerning(found)
    candidates = [row for row in rows if _is_asked(row, actor)]
    recalled = [actor.accountable] if any(row.recalled for row in candidates) else []
    known = standings(candidates, [actor.accountable], recalled)
    is_cut = len(found) == INBOX_LIMIT
    decides, beside = any(map(actor.can_somewhere, rules.ROLE_OF)), next(iter(found), None)
    waiting = Waiting([], [], glasses_beside(rows), decides, beside, is_cut=is_cut)
    for row in candidates:
        decider, held = known.decider(row, actor.accountable), held_roles(actor, scope_of(row))
        row.by_name = asked_by_name(row.named)
        if decider.needed(held, row.gates) or (row.is_named and decider.counting(held)):
            waiting.needed.append(row)
        elif why := decider.why_not(asked_as(row, actor)):
            waiting.barred.append((row, sentence("You", why)))
    waiting.needed.sort(key=_by_nobody)
    return waiting


def _by_nobody(row: Any) -> bool:
    """Tell whether nobody asked the actor by name: what they were asked for stands before it."""
    return row.by_name is None


def _is_asked(row: Any, actor: Actor) -> bool:
    """Tell whether a release waits for the actor: for one of their roles, or for them by name."""
    if not row.waits:
        return False
    if row.is_named and row.decider(actor.accountable).admitted(held_roles(actor, scope_of(row))):
        return True
    return bool(asked_as(row, actor))


def inbox(actor: Actor, read_along: ReadAlong | None = None) -> list[Release]:
    """Return the releases where this person may decide now, has not, and is still needed."""
    return waiting_on(actor, read_along).needed


def menu(actor: Actor, read_along: ReadAlong | None = None) -> Menu:
    """Return what every page says: one query, reading only what tells that. ``read_along`` has it
    bring more, as columns that do not depend on the release.

    A release with all that stands beside it is large. Who is needed by rules about independence
    takes more to tell: it may be fewer than wait.
    """
    told = ("environment__name", "policy__document", "version__author")
    narrow = _waiting_or_broken(actor, read_along).only("project_id", "requester", "gates", *told)
    found: list[Any] = list(narrow.select_related("environment", "policy", "version"))
    rows = _concerning(found)
    asked = (row for row in rows if not row.recalled and _is_asked(row, actor))
    waiting = Counter(row.project_id for row in asked)
    return Menu(waiting, glasses_beside(rows), next(iter(found), None))


def _waiting_or_broken(actor: Actor, read_along: ReadAlong | None) -> QuerySet[Release]:
    """Return what waits for a decision in the actor's reach, and what they see whose glass is
    broken: each says which it is in ``waits`` and ``glass``. The newest release of all comes with
    them, so that what is read along has a row to stand in: :func:`_concerning` leaves it out.

    Which ones is decided before anything stands beside them: the database would join every
    release there is with its documents, and sort that.
    """
    open_ones = BreakGlass.objects.filter(state__in=GLASS_OPEN, until__gt=clock.now())
    undecided = _undecided(actor).order_by()
    newest = Release.objects.order_by("-pk").values("pk")[:1]
    wanted = undecided.values("pk").union(open_ones.values("release"), newest)
    here = open_ones.filter(release=OuterRef("pk"))
    glasses = here.values(json=JSONObject(**GLASS))
    own = visible(Release.objects.filter(pk=OuterRef("pk")), actor, view="release.view")
    named = waits_by_name(actor.id)
    concerned = Release.objects.filter(Q(Exists(own)) | Q(pk=Subquery(newest)), pk__in=wanted)
    concerned = concerned.annotate(is_named=named)
    # what waits for them by name stands before the oldest, so that no crowd cuts it off
    turn = (F("is_named").desc(), "created_at", "pk")
    first = concerned.order_by(*turn).values("pk")[:INBOX_LIMIT]
    rows = Release.objects.filter(one_of(first)).annotate(
        seen=Exists(own),
        waits=among(undecided.values("pk")),
        glass=Subquery(glasses[:1]),
        recalled=keeper().uncounts(Value(actor.accountable)),
        is_named=named,
    )
    rows = rows.order_by(*turn)
    return read_along(rows) if read_along else rows


def _concerning(rows: Iterable[Any]) -> list[Any]:
    return [row for row in rows if row.seen and (row.waits or row.glass)]


def _undecided(actor: Actor) -> QuerySet[Release]:
    """Return the requested releases in reach that this person has not decided on."""
    if actor.kind != "person":
        return Release.objects.none()
    return (
        releases(actor, state=ReleaseState.REQUESTED)
        .filter(in_reach(actor))
        .exclude(decisions__in=answers_of(actor.id))
        .order_by("created_at")
    )


def is_startable(actor: Actor) -> Q:
    """Return the condition under which a release is approved and waits for ``actor`` to start its
    rollout, or its endpoint, which is stopped."""
    by_hand = in_reach(actor, {"rollout.start"})
    by_hand &= Q(plan__start="manual") | Q(Exists(overtaking()))
    halted = in_reach(actor, {"endpoint.operate"}) & Q(endpoint__state=EndpointState.STOPPED)
    return Q(state=ReleaseState.APPROVED) & (by_hand | halted)


def publishable_drafts(actor: Actor) -> QuerySet[PolicyRevision]:
    """Return the policy drafts that ``actor`` may publish: others wrote them, no later one is in
    force, and the decisions of ``actor`` were not recalled."""
    reach = in_reach(actor, frozenset({"policy.publish"}))
    counts = ~keeper().uncounts(Value(actor.accountable))
    return _open_drafts().filter(reach, counts).exclude(drafted_by=actor.accountable)


def followed_drafts(actor: Actor) -> QuerySet[PolicyRevision]:
    """Return the policy drafts that ``actor`` wrote and still sees, and those where they see who
    has access: they learn of it where too few people hold the roles that one asks for."""
    own = in_reach(actor, frozenset({"policy.view"})) & Q(drafted_by=actor.accountable)
    everywhere = ~Q(pk__in=[])  # an empty condition adds nothing to another
    return _open_drafts().filter(own | (in_reach(actor, frozenset({"access.view"})) or everywhere))


def _open_drafts() -> QuerySet[PolicyRevision]:
    same = PolicyRevision.objects.filter(environment=OuterRef("environment"))
    in_force = same.filter(state=PolicyState.PUBLISHED, number__gt=OuterRef("number"))
    return PolicyRevision.objects.filter(~Exists(in_force), state=PolicyState.DRAFT)


def asked_as(of: Release, actor: Actor) -> set[str]:
    """Return the missing roles that ``actor`` holds and that being requester or author does not
    exclude; where the actor stands is not asked."""
    missing = held_roles(actor, scope_of(of)) & rules.missing_roles(of.gates)
    return set(of.decider(actor.accountable).admitted(missing))


def held_roles(actor: Actor, scope: Scope) -> set[str]:
    """Return the deciding roles that ``actor`` holds at ``scope``."""
    return {role for permission, role in rules.ROLE_OF.items() if actor.can(permission, scope)}


def in_reach(
    actor: Actor,
    permissions: Container[str] = rules.ROLE_OF,
    *,
    environment: str = "environment",
) -> Q:
    """The projects and environments where ``actor`` may decide, or holds other ``permissions``;
    ``environment`` is the lookup path to that."""
    reach = Q(pk__in=[])
    for grant in actor.grants:
        if grant.permission not in permissions:
            continue
        if grant.scope.project is None:
            return Q()
        here = Q(project=grant.scope.project)
        if grant.scope.environment is not None:
            here &= Q(**{f"{environment}__name": grant.scope.environment})
        reach |= here
    return reach
