"""Releases that wait for an approval that nobody can give, for those who see who has access."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Func, JSONField, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from apps.governance import rules
from apps.governance.approvals import ApprovalPolicy, Decider, Parties
from apps.governance.models import Decision, Environment, Release
from apps.governance.queries.deciders import RoleHolders, deciders, with_deciders
from apps.governance.queries.visible_rows import INBOX_LIMIT
from apps.governance.rules import ReleaseState
from apps.identity.queries import visible
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class Stuck:
    """An environment, how many releases wait there for what nobody can give, and as which roles."""

    environment: Environment
    releases: int
    roles: tuple[str, ...]


def stuck(actor: Actor) -> list[Stuck]:
    """Return where releases wait for an approval by a role that nobody holds who has not decided
    and is not excluded as requester or author: of the oldest that wait, in the environments whose
    access ``actor`` sees (one query, none for others).

    Who still has to set up a second factor or a passkey, or stands in the wrong line, is taken for
    somebody who can: so what is said here is true, and not all that could be.
    """
    seen = visible(Environment.objects.select_related("project"), actor, view="access.view")
    seen = seen.filter(Exists(_waiting())).annotate(waiting=ArraySubquery(_waiting_as_json()))
    found = []
    for place in with_deciders(seen).order_by("project__name", "name"):
        holders = {row.role: row for row in deciders(place, actor)}
        here = place.waiting if holders else ()
        lacking = [roles for row in here if (roles := _nobody_for(row, holders))]
        if lacking:
            found.append(Stuck(place, len(lacking), tuple(sorted(set().union(*lacking)))))
    return found


def _waiting() -> QuerySet[Release]:
    return Release.objects.filter(environment=OuterRef("pk"), state=ReleaseState.REQUESTED)


def _waiting_as_json() -> QuerySet[Release, Any]:
    decided = Decision.objects.filter(release=OuterRef("pk"), voided_reason="").values("person")
    said = JSONObject(
        requester="requester",
        author="version__author",
        gates=_approvals("gates"),
        policy=_approvals("policy__document__gates"),
        decided=ArraySubquery(decided),
    )
    return _waiting().order_by("created_at", "pk").values(json=said)[:INBOX_LIMIT]


def _approvals(gates: str) -> Func:
    """Return the expression for the gates of a column that ask people: others say much more."""
    path = "jsonb_path_query_array(%(expressions)s, '$[*] ? (@.gate == \"approvals\")')"
    return Func(F(gates), template=path, output_field=JSONField())


def _nobody_for(release: Mapping[str, Any], holders: Mapping[str, RoleHolders]) -> set[str]:
    """Return the missing roles of a release as which nobody can decide on it."""
    policy = ApprovalPolicy.of({"gates": release["policy"]})
    parties = Parties(release["requester"], release["author"])
    return {
        role
        for role in rules.missing_roles(release["gates"]) & holders.keys()
        if not (held := holders[role]).is_cut
        and not any(
            person.id not in release["decided"]
            and Decider(person.id, policy, parties).admitted([role])
            for person in held.people
        )
    }
