"""The only ways in: ``authorize`` for what an actor does, ``visible`` for what they read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import structlog
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import BooleanField, CharField, Exists, F, Func, OuterRef, Q
from django.db.models.functions import Coalesce, JSONArray

from apps.audit.models import Audited
from apps.audit.queries.vouched_rows import is_logged, last_logged
from apps.audit.rows import row_key
from apps.identity.models import (
    NAMELESS,
    ApiToken,
    ApproverPasskey,
    Project,
    RoleBinding,
    SavedView,
    ServiceAccount,
    Team,
    TeamMember,
    User,
)
from apps.identity.rules import grants_of
from apps.identity.rules.permissions import roles_with
from apps.identity.sign_in.freshness import last_proof, proofs
from apps.identity.trust.second_factor import withheld, withheld_by_log
from apps.identity.trust.vouching import about, is_vouched
from placet.kernel.actor import ANONYMOUS, INSTANCE, SYSTEM, Actor, Grant, Scope
from placet.kernel.problems import NeedsPermission, NotFound

M = TypeVar("M", bound=models.Model)
A = TypeVar("A", bound=Audited)
log = structlog.get_logger(__name__)
NAME = f"""(
    SELECT COALESCE(
        (SELECT COALESCE(NULLIF(name, ''), '{NAMELESS}')
            FROM {User._meta.db_table} WHERE id = asked.id),
        (SELECT name FROM {ServiceAccount._meta.db_table} WHERE id = asked.id),
        CASE asked.id WHEN '{SYSTEM.id}' THEN '{SYSTEM.label}' ELSE asked.id END
    ) FROM (SELECT %(expressions)s AS id) asked
)"""  # noqa: S608  (of constants alone)


class Scoped(Protocol):
    """A row that knows where it belongs."""

    def project_scope(self) -> str | None:
        """Return the project id."""

    def environment_scope(self) -> str | None:
        """Return the environment's name."""


def scope_of(row: Scoped | None) -> Scope:
    """Return the scope of ``row``; ``None`` stands for the instance."""
    if row is None:
        return INSTANCE
    return Scope(row.project_scope(), row.environment_scope())


def authorize(actor: Actor, action: str, row: Scoped | None, *, view: str = "project.view") -> None:
    """Let ``actor`` do ``action`` (a permission name) to ``row``, or raise.

    Raises :class:`NotFound` when the actor may not even see it (``view`` is not held there) and
    :class:`Forbidden` when they see it but may not do this.
    """
    scope = scope_of(row)
    if actor.can(action, scope):
        return
    if row is not None and not actor.can(view, scope):
        raise NotFound
    raise NeedsPermission(actor, action, scope=scope)


def visible(
    queryset: models.QuerySet[M],
    actor: Actor,
    *,
    view: str = "project.view",
    project: str = "project",
) -> models.QuerySet[M]:
    """Return the rows of ``queryset`` that ``actor`` may see.

    ``project`` is the lookup path to the project id. Who holds ``view`` in any environment of a
    project sees that project.
    """
    projects = actor.projects_with(view)
    if projects is None:
        return queryset
    return queryset.filter(**{f"{project}__in": projects})


def sees_in(project: str | None, view: str, actor: Actor) -> bool:
    """Tell whether ``actor`` sees what :func:`visible` shows of a project by its id, ``None`` for
    what belongs to none."""
    projects = actor.projects_with(view)
    return projects is None or project in projects


def one_of(ids: models.QuerySet[Any, Any], *, field: str = "pk") -> Func:
    """Return the condition that ``field`` is one of these few ids, which are found first.

    ``pk__in`` says the same. But the database may join all that stands beside a row before it
    looks which rows are wanted (it does where there are many tables), and uses no index beside an
    OR.
    """
    few = Func(ArraySubquery(ids), template="(%(expressions)s)")
    return Func(
        F(field),
        few,
        template="%(expressions)s",
        arg_joiner=" = ANY ",
        output_field=BooleanField(),
    )


def fresh_grants(
    person_id: str, lock: bool = True, *, even_withheld: bool = False
) -> frozenset[Grant]:
    """Read the grants of a person (or service account) again, as they are now.

    With ``lock`` (inside a transaction) the rows they come from are held until commit: a role that
    is being taken away is either gone here or stays until the caller is done. Locks are taken in
    one order: person, memberships, roles. Whoever is deactivated has none.

    Only what the log vouches for counts: a role, a membership, a person or a way to sign in as
    one that somebody wrote into the tables past the actions gives nobody a voice. A role that
    demands a second factor gives who has none nothing, unless it is asked for ``even_withheld``.
    """
    if person_id.startswith("svc_"):
        return _service_grants(person_id, lock=lock)
    people = User.objects.filter(pk=person_id, is_active=True)
    teams = TeamMember.objects.filter(person=person_id).order_by("pk")
    if lock:
        people = people.select_for_update(no_key=True)
        teams = teams.select_for_update(of=("self",), no_key=True)
    person, members = people.first(), list(teams)
    if person is None:
        return frozenset()
    subject = Q(person=person_id) | Q(team__in=[member.team_id for member in members])
    bindings = _bindings(subject, lock=lock)
    logged = about(person, *members, *bindings)
    if not is_vouched(person, logged):
        return frozenset()
    states = logged.states
    joined = {m.team_id for m in _vouched(members, states)}
    vouched = _vouched(bindings, states)
    without = frozenset() if even_withheld or not vouched else withheld_by_log(person_id)
    return _grants(
        b for b in vouched if (b.team_id is None or b.team_id in joined) and b.role not in without
    )


def _vouched(rows: Iterable[A], states: dict[str, dict[str, Any] | None]) -> list[A]:
    vouched = []
    for row in rows:
        if is_logged(row, states):
            vouched.append(row)
        else:
            log.warning("grant_not_in_log", row=row_key(row))
    return vouched


def _service_grants(account_id: str, *, lock: bool) -> frozenset[Grant]:
    accounts = ServiceAccount.objects.filter(
        pk=account_id, is_active=True, owner__is_active=True
    ).order_by("pk")
    if lock:
        accounts = accounts.select_for_update(of=("self",), no_key=True)
    if not list(accounts.values_list("pk")):
        return frozenset()
    bindings = _bindings(Q(service_account=account_id), lock=lock)
    return _grants(_vouched(bindings, last_logged(bindings).states))


def _bindings(subject: Q, *, lock: bool) -> list[RoleBinding]:
    bindings = RoleBinding.objects.filter(subject).order_by("pk")
    return list(bindings.select_for_update(of=("self",), no_key=True) if lock else bindings)


def _grants(bindings: Iterable[RoleBinding]) -> frozenset[Grant]:
    return grants_of((b.role, b.project_id, b.environment) for b in bindings)


def _bound(subject: Q) -> frozenset[Grant]:
    bindings = RoleBinding.objects.filter(subject).order_by("pk")
    return grants_of(bindings.values_list("role", "project_id", "environment"))


def with_roles(people: models.QuerySet[User]) -> models.QuerySet[User, Any]:
    """Read along as ``held_roles`` of each person what they hold, themselves or by a team: role,
    project, environment, and whether it waits for their second factor."""
    inside = OuterRef(OuterRef("pk"))
    teams = TeamMember.objects.filter(person=inside).values("team_id")
    own = Q(person=OuterRef("pk")) | Q(one_of(teams, field="team"))
    held = RoleBinding.objects.filter(own).annotate(withheld=withheld(inside)).order_by("pk")
    row = JSONArray("role", "project_id", "environment", "withheld")
    return people.annotate(held_roles=ArraySubquery(held.values(row=row)))


def _person_grants(held_roles: Iterable[Sequence[Any]]) -> tuple[frozenset[Grant], frozenset[str]]:
    """Return what a person may do, and the roles that wait for their second factor."""
    rows = list(held_roles)
    bound = [(row[0], row[1], row[2]) for row in rows if not row[3]]
    return grants_of(bound), frozenset(row[0] for row in rows if row[3])


def _held_roles(person_id: str) -> Iterable[Sequence[Any]]:
    person = with_roles(User.objects.filter(pk=person_id)).only("pk").first()
    return () if person is None else person.held_roles


def withheld_roles(person_id: str) -> frozenset[str]:
    """Return the roles of a person that count only once they have a second factor."""
    return _person_grants(_held_roles(person_id))[1]


def held_grants(actor_id: str) -> frozenset[Grant]:
    """Return all that a person or service account may do, whatever token they use."""
    if actor_id.startswith("svc_"):
        return _bound(Q(service_account=actor_id))
    return _person_grants(_held_roles(actor_id))[0]


def stands_for_person(actor: Actor, permission: str) -> bool:
    """Tell whether ``actor`` may do for a person what concerns them wherever they are: they do it
    in a session, or by a token of theirs that has ``permission`` wherever they have it; a token of
    one project and a program do not."""
    if actor.in_session or actor.kind != "person":
        return actor.in_session
    held = [grant.scope for grant in held_grants(actor.id) if grant.permission == permission]
    return bool(held) and all(actor.can(permission, at) for at in held)


def as_owner(actor: Actor) -> Actor:
    """Return the person whose token acts with all that they hold, to find what waits for them: a
    token carries no decision. Of that only what ``actor`` may see is told."""
    mine = actor.kind == "person" and actor.token is not None
    return replace(actor, grants=held_grants(actor.id)) if mine else actor


def people_with(permission: str, scope: Scope | None) -> list[User]:
    """Return the active people whose roles give them ``permission`` at ``scope``; ``None`` is
    anywhere."""
    roles = roles_with(permission)
    return list(holders(roles, roles, scope).order_by("pk"))


def holders(
    here: Iterable[str], everywhere: Iterable[str], scope: Scope | None, *, ready: bool = False
) -> models.QuerySet[User]:
    """Return the active people who hold any of the roles ``here`` in all of ``scope`` (``None``:
    anywhere), or any of those ``everywhere``, themselves or in a team; with ``ready`` nobody for a
    role that waits for their second factor."""
    place = Q()
    if scope is not None:
        place = Q(project=scope.project, environment__in=["", scope.environment or ""])
    held = RoleBinding.objects.filter(
        Q(place, role__in=[*here]) | Q(project=None, role__in=[*everywhere])
    ).annotate(who=Coalesce("person", "team__memberships__person"))
    if ready:
        held = held.exclude(withheld(OuterRef("who")))
    return User.objects.filter(pk__in=held.exclude(who=None).values("who"), is_active=True)


def actor_for_user(user: User, session: Mapping[str, Any] | None = None) -> Actor:
    """Return the person in a browser session as an actor (one query, none for whose roles were read
    along: :func:`with_roles`).

    ``session`` tells whether a second factor opened it, and when they last showed who they are.
    """
    if not user.is_active:
        return ANONYMOUS
    records = proofs(session or {}, user.pk)
    held = getattr(user, "held_roles", None)
    grants, waiting = _person_grants(_held_roles(user.pk) if held is None else held)
    return Actor(
        kind="person",
        id=user.pk,
        label=str(user),
        owner=user.pk,
        grants=grants,
        withheld=waiting,
        mfa=any(record.get("method") == "mfa" for record in records),
        authenticated_at=last_proof(records),
    )


def people_names(ids: Iterable[str]) -> dict[str, str]:
    """Return a name for each actor id: people, service accounts, the system; else the id itself. An
    e-mail address is nobody's name here: they are told to everybody who sees what was done."""
    wanted = {i for i in ids if i}
    names = {i: i for i in wanted}
    if SYSTEM.id in wanted:
        names[SYSTEM.id] = SYSTEM.label
    if people := [i for i in wanted if i.startswith("per_")]:
        names.update({u.pk: u.public_name for u in User.objects.filter(pk__in=people)})
    if services := [i for i in wanted if i.startswith("svc_")]:
        accounts = ServiceAccount.objects.filter(pk__in=services)
        names.update(accounts.values_list("pk", "name"))
    return names


def name_in(column: str) -> Func:
    """Return the expression for the name of whose id ``column`` holds: a person's, a service
    account's, the system's; else the id itself. As :func:`people_names`, no address.

    As a text, since Django would make three subqueries for each of the thirty names of a page.
    """
    return Func(F(column), template=NAME, output_field=CharField())


def known_projects(actor: Actor, *views: str) -> models.QuerySet[Project]:
    """Return the projects that ``actor`` sees, or sees something of: by a permission in ``views``,
    which a token may carry without that to see projects."""
    seen = [actor.projects_with(view) for view in ("project.view", *views)]
    among = Q() if None in seen else Q(pk__in=frozenset().union(*filter(None, seen)))
    return Project.objects.filter(among)


def project_by_slug(slug: str, actor: Actor) -> Project:
    """Return the project that ``actor`` may see, or raise ``NotFound`` (one query)."""
    project = visible(Project.objects.filter(slug=slug), actor, project="pk").first()
    if project is None:
        raise NotFound
    return project


def own_tokens(actor: Actor) -> models.QuerySet[ApiToken]:
    """Return the tokens that ``actor`` answers for; a token sees itself alone."""
    tokens = ApiToken.objects.all()
    if actor.kind == "system":
        return tokens
    if actor.token is not None:
        return tokens.filter(pk=actor.token)
    return tokens.filter(Q(person=actor.id) | Q(service_account__owner=actor.id))


def own_views(actor: Actor) -> models.QuerySet[SavedView]:
    """Return the views of lists that ``actor`` saved, by name: nobody sees another's."""
    return SavedView.objects.filter(person=actor.id).order_by("name")


def visible_passkeys(actor: Actor) -> models.QuerySet[ApproverPasskey]:
    """Return every approver's passkey for who approves or audits access, else the actor's own."""
    rows = ApproverPasskey.objects.select_related("person", "vouched_by__person")
    if actor.can("access.view") or actor.can_somewhere("release.approve"):
        return rows
    return rows.filter(person=actor.accountable)


def visible_people(actor: Actor) -> models.QuerySet[User]:
    """Return everybody for who administers or audits access, else the actor alone."""
    people = User.objects.all()
    return people if actor.can("access.view") else people.filter(pk=actor.accountable)


def visible_teams(actor: Actor) -> models.QuerySet[Team]:
    """Return every team for who administers or audits access, else the actor's own."""
    teams = Team.objects.all()
    if actor.can("access.view"):
        return teams
    return teams.filter(memberships__person=actor.accountable)


def visible_services(actor: Actor) -> models.QuerySet[ServiceAccount]:
    """Return every service account for who administers or audits access, else those they own."""
    services = ServiceAccount.objects.all()
    if actor.can("access.view"):
        return services
    return services.filter(owner=actor.accountable)


def visible_roles(actor: Actor) -> models.QuerySet[RoleBinding]:
    """Return the roles at the scopes whose access ``actor`` may see, and their own."""
    bindings = RoleBinding.objects.select_related("person", "team", "service_account", "project")
    projects = actor.projects_with("access.view")
    if projects is None:
        return bindings
    teams = TeamMember.objects.filter(person=actor.accountable).values("team_id")
    own = Q(person=actor.id) | Q(service_account=actor.id) | Q(team__in=teams)
    return bindings.filter(own | Q(project__in=projects))


def role_to_take(pk: str, actor: Actor, **of: models.Model) -> Any:
    """Return a role that :func:`visible_roles` has, with whether the person who holds it ``stays``
    in it there by another of theirs or a team's, of those that ``actor`` sees."""
    own = Q(person=OuterRef("person")) | Q(team__memberships__person=OuterRef("person"))
    more = visible_roles(actor).exclude(pk=OuterRef("pk")).filter(own, role=OuterRef("role"))
    here = Q(environment="") | Q(environment=OuterRef("environment"))
    wide = more.filter(Q(project=None) | Q(here, project=OuterRef("project")))
    rows = visible_roles(actor).annotate(stays=Exists(wide))
    if row := rows.filter(pk=pk, **of).first():
        return row
    raise NotFound
