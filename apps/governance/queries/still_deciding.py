"""Who was asked by name, or asked for changes, and can still decide: for queries, where no person
is read."""

from django.db.models import (
    Exists,
    ExpressionWrapper,
    F,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import JSONArray, JSONObject

from apps.governance.rules import ROLE_OF
from apps.identity.models import RoleBinding, TeamMember, User
from apps.identity.trust.second_factor import withheld
from apps.serving.hooks import keeper


def still_deciding() -> Q:
    """Return the condition that the person of a review request may come in, that their decisions
    count, and that they hold a role there of which the policy of its release asks an approval."""
    return _deciding(roles_there())


def deciding_now(*, without: str = "") -> Q:
    """Return the condition of :func:`still_deciding`, and that no such role waits for a second
    factor of theirs; of a decision too. ``without`` is the id of a role that does not count."""
    return _deciding(given_there(without=without))


def _deciding(held: QuerySet[RoleBinding]) -> Q:
    active = User.objects.filter(pk=OuterRef("person"), is_active=True)
    return Q(~keeper().uncounts(OuterRef("person")), Exists(active), Exists(_asked(held)))


def _asked(held: QuerySet[RoleBinding]) -> QuerySet[RoleBinding]:
    """Return the roles ``held`` there of which the policy asks an approval."""
    gates = ExpressionWrapper(OuterRef("release__policy__document__gates"), JSONField())
    gate = JSONArray(JSONObject(gate=Value("approvals"), role=F("role")))
    deciding = held.filter(role__in=ROLE_OF.values())
    return deciding.alias(gates=gates).filter(gates__contains=gate)


def roles_there(person: str = "person", *, without: str = "") -> QuerySet[RoleBinding]:
    """Return the roles that the person of a decision, or of a review request, holds where its
    release goes, by themselves or in a team: for a query of either, where that column names them.
    ``without`` is the id of one that does not count."""
    members = TeamMember.objects.filter(person=OuterRef(OuterRef(person)))
    own = Q(person=OuterRef(person)) | Q(team__in=members.values("team"))
    environment = Q(environment="") | Q(environment=OuterRef("release__environment__name"))
    here = Q(project=None) | environment & Q(project=OuterRef("project"))
    held = RoleBinding.objects.filter(own, here)
    return held.exclude(pk=without) if without else held


def given_there(person: str = "person", *, without: str = "") -> QuerySet[RoleBinding]:
    """Return those of :func:`roles_there` that do not wait for a second factor of theirs."""
    return roles_there(person, without=without).exclude(withheld(OuterRef(OuterRef(person))))
