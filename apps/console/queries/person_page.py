"""One person: their teams, their roles, how they sign in, and what they did lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.urls import reverse

from apps.assurance.models import RecallKind
from apps.assurance.queries import standing_recalls
from apps.audit.events import PERSON_ERASED
from apps.audit.queries import EventFilter, erased_in, events_about, newest, unseal
from apps.audit.queries.bodies import body_of
from apps.console.queries.events import EventLine, named_lines
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Banner, Link, counted
from apps.console.queries.people import (
    PersonRow,
    PlaceGroups,
    RolesAt,
    described,
    place_choices,
    role_choices,
    roles_by_place,
)
from apps.console.queries.release_words import with_words
from apps.governance.models import Decision, Release
from apps.governance.queries.visible_rows import releases
from apps.identity.models import ApiToken, User
from apps.identity.queries import (
    name_in,
    people_names,
    visible,
    visible_people,
    visible_roles,
    visible_services,
    visible_teams,
)
from apps.identity.trust.second_factor import not_signed_in, withheld
from apps.identity.trust.vouching import NOBODY
from apps.registry.queries import large_of
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

SHOWN = 20
FEW = 10  # decisions, and releases that were asked for


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Everything the page of a person shows of them to its reader."""

    # with ``teams``, the names of its ``services``, how many ``tokens`` it has, the types of its
    # ``factors``, when it was ``seen`` and whether it was ``erased``
    person: Any
    actor: Actor
    roles: Sequence[RolesAt]
    decisions: Sequence[Decision]
    requests: Sequence[Release]
    lines: Sequence[EventLine]
    recall_reason: str = ""  # why their decisions were recalled, for who may see that
    erasure: str = ""  # by whom and when they were erased, for who sees who has access

    @property
    def row(self) -> PersonRow:
        """The person as in the list of all."""
        return PersonRow(self.person)

    @property
    def standing(self) -> str:
        """Continues the line below their name: why they cannot come in, or have not come."""
        if self.is_erased:
            return f"erased{self.erasure if self.sees_teams else ''}"
        if not self.person.is_active:
            return "deactivated"
        return not_signed_in(self.person.reactivated_at) if self.person.awaited else ""

    @property
    def recall(self) -> Banner | None:
        """That their decisions were recalled, when and why, as far as the reader may see it; where
        it is read in full."""
        told = self.person.recall
        if not told:
            return None
        whose = "Your decisions" if self.is_self else f"The decisions of {self.person}"
        they = "you decide" if self.is_self else "they decide"
        at = datetime.fromisoformat(told["at"])
        begins = f"{whose} were recalled on {at:%Y-%m-%d}"
        url = recall_url(told["id"], None, self.actor)
        why = (
            f": “{self.recall_reason}” ({told['name']})." if url else "; why is not visible to you."
        )
        text = f"{begins}{why} Until that is withdrawn {they} nothing."
        return Banner("danger", text, [Link("Open recall", url)] if url else [])

    @property
    def role_choices(self) -> list[tuple[str, str]]:
        """The roles to choose from."""
        return role_choices()

    @property
    def places(self) -> PlaceGroups:
        """Where a role could be given, besides everywhere."""
        return place_choices()

    @property
    def may_set_up(self) -> bool:
        """Whether a set-up link could be made: there is no password yet."""
        return self.may_manage and self.person.is_active and not self.person.has_usable_password()

    @property
    def may_deactivate(self) -> bool:
        """Whether the reader may give roles and end the access of this person, who is not they."""
        return self.may_manage and bool(self.person.is_active) and not self.is_self

    @property
    def may_reactivate(self) -> bool:
        """Whether the reader may let the person in again."""
        return self.may_manage and not self.person.is_active and not self.person.erased

    @property
    def may_erase(self) -> bool:
        """Whether the reader may erase the person, who cannot come in any more."""
        gone = not self.person.is_active and not self.is_erased
        return self.may_manage and gone and not self.is_self

    @property
    def may_sign_out(self) -> bool:
        """Whether the reader can end the person's sessions."""
        return bool(self.person.is_active) and (self.may_manage or self.is_self)

    @property
    def has_access(self) -> bool:
        """Whether the reader can do something about their access."""
        own = self.may_set_up or self.may_sign_out or self.may_deactivate
        return own or self.may_reactivate or self.may_erase

    @property
    def is_self(self) -> bool:
        """Whether somebody reads about themselves."""
        return str(self.person.pk) == self.actor.accountable

    @property
    def token_count(self) -> str:
        """How many tokens act for them now; '' where the reader is not to know."""
        return counted(self.person.tokens, "token") if self.may_manage else ""

    @property
    def sees_teams(self) -> bool:
        """Whether the reader may open the pages of teams."""
        return self.actor.can("access.view")

    @property
    def is_erased(self) -> bool:
        """Whether nothing names them any more: versions before 0.2.0 left name and address."""
        return bool(self.person.erased) and str(self.person.email).endswith(NOBODY)

    @property
    def may_manage(self) -> bool:
        """Whether the reader administers access."""
        return self.actor.can("access.manage")

    @property
    def links(self) -> list[Link]:
        """Where the reader goes on from here."""
        links = []
        if self.may_manage and not self.person.erased:
            change = reverse("admin:identity_user_change", args=[self.person.pk])
            links.append(Link("Rename", change))
        if self.actor.can_somewhere("audit.view"):
            links.append(Link("All events", f"{reverse('audit')}?actor={self.person.pk}"))
        return links


def person_page(person_id: str, actor: Actor) -> PersonPage:
    """Return what the page of a person shows, or raise ``NotFound``."""
    person = _with_names(visible_people(actor), actor).filter(pk=person_id).first()
    if person is None:
        raise NotFound
    return PersonPage(
        person=person,
        actor=actor,
        roles=_roles(person, actor),
        decisions=_decisions(person, actor),
        requests=list(with_words(releases(actor)).filter(requester=person.pk)[:FEW]),
        lines=_lines(person, actor),
        recall_reason=_reason(person.recall, actor),
        erasure=_erasure(person),
    )


def _recall() -> Subquery:
    """Return the standing recall of a person's decisions, as a column of the query that reads
    them."""
    rows = standing_recalls().filter(kind=RecallKind.PERSON, what=OuterRef("pk"))
    columns = {"at": "created_at", "reason": "reason_sealed"}
    told = JSONObject(id="pk", name=name_in("recalled_by"), **columns)
    return Subquery(rows.values(json=told)[:1])


def _reason(told: Mapping[str, str] | None, actor: Actor) -> str:
    """Return why decisions were recalled, for who may see that (one query where they were)."""
    seen = told is not None and recall_url(told["id"], None, actor)
    return unseal(told["reason"]) if told and seen else ""


def _erasure(person: Any) -> str:
    """Return by whom and when a person was erased, as the log says; '' for one who was not (two
    queries for one who was)."""
    told = list(events_about([person.pk], PERSON_ERASED).values()) if person.erased else []
    body = body_of(told[-1] if told else "")
    if not body["at"]:  # it is none, or cannot be read any more
        return ""
    names = people_names([body["actor_id"]])
    return f" by {names.get(body['actor_id'], '')} on {body['at'][:10]}"


def _with_names(people: QuerySet[User], actor: Actor) -> QuerySet[User, Any]:
    """Read along of each person their teams, the names of their service accounts, and how many
    tokens act for them now."""
    teams = visible_teams(actor).filter(memberships__person=OuterRef("pk"))
    services = visible_services(actor).filter(owner=OuterRef("pk"))
    tokens = ApiToken.objects.filter(
        person=OuterRef("pk"), revoked_at=None, expires_at__gt=now()
    ).values("person")
    return described(people).annotate(
        recall=_recall(),
        erased=erased_in("pk"),
        teams=ArraySubquery(teams.order_by("name").values(json=JSONObject(id="pk", name="name"))),
        services=ArraySubquery(services.order_by("name").values("name")),
        tokens=Coalesce(Subquery(tokens.annotate(count=Count("pk")).values("count")), 0),
    )


def _roles(person: User, actor: Actor) -> list[RolesAt]:
    """Return the roles of a person, their teams' too."""
    teams = person.memberships.values("team")
    held = visible_roles(actor).filter(Q(person=person) | Q(team__in=teams))
    return roles_by_place(held.annotate(waits=withheld(person.pk)))


def _decisions(person: User, actor: Actor) -> list[Decision]:
    rows = Decision.objects.filter(person=person.pk).select_related(
        "release__project", "release__environment", "release__version__model"
    )
    rows = rows.defer(*large_of("release__version"))
    return list(visible(rows, actor, view="release.view").order_by("-pk")[:FEW])


def _lines(person: User, actor: Actor) -> list[EventLine]:
    """Return what a person did, as far as ``actor`` reads the log."""
    if not actor.can_somewhere("audit.view"):
        return []
    return named_lines(newest(actor, EventFilter(actor=person.pk), SHOWN, None), actor)
