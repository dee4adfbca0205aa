"""Who was asked by name and can still decide: for queries, where no person is read."""

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
from apps.serving.hooks import keeper


def still_deciding() -> Q:
    """Return the condition that the person of a review request may come in, that their decisions
    count, and that they hold a role there of which the policy of its release asks an approval."""
    active = User.objects.filter(pk=OuterRef("person"), is_active=True)
    return Q(~keeper().uncounts(OuterRef("person")), Exists(active), Exists(_asked()))


def _asked() -> QuerySet[RoleBinding]:
    """Return the roles of the person there of which the policy asks an approval."""
    gates = ExpressionWrapper(OuterRef("release__policy__document__gates"), JSONField())
    gate = JSONArray(JSONObject(gate=Value("approvals"), role=F("role")))
    held = roles_there().filter(role__in=ROLE_OF.values())
    return held.alias(gates=gates).filter(gates__contains=gate)


def roles_there() -> QuerySet[RoleBinding]:
    """Return the roles that the person of a decision, or of a review request, holds where its
    release goes, by themselves or in a team: for a query of either."""
    members = TeamMember.objects.filter(person=OuterRef(OuterRef("person")))
    own = Q(person=OuterRef("person")) | Q(team__in=members.values("team"))
    environment = Q(environment="") | Q(environment=OuterRef("release__environment__name"))
    here = Q(project=None) | environment & Q(project=OuterRef("project"))
    return RoleBinding.objects.filter(own, here)
