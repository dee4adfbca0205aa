"""Who was asked by name and can still decide: for queries, where no person is read."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.governance.rules import ROLE_OF
from apps.identity.models import RoleBinding, TeamMember, User
from apps.serving.hooks import keeper


def still_deciding() -> Q:
    """Return the condition that the person of a review request may come in, that their decisions
    count, and that they hold a role there of which the policy of its release asks an approval."""
    held = Q(pk__in=[])
    for role in ROLE_OF.values():
        asked = [{"gate": "approvals", "role": role}]
        asks = Q(release__policy__document__gates__contains=asked)
        held |= asks & Q(Exists(_held(role)))
    counts = ~keeper().uncounts(OuterRef("person"))
    return Q(counts, Exists(User.objects.filter(pk=OuterRef("person"), is_active=True))) & held


def _held(role: str) -> QuerySet[RoleBinding]:
    members = TeamMember.objects.filter(person=OuterRef(OuterRef("person")))
    own = Q(person=OuterRef("person")) | Q(team__in=members.values("team"))
    environment = Q(environment="") | Q(environment=OuterRef("release__environment__name"))
    here = Q(project=None) | environment & Q(project=OuterRef("project"))
    return RoleBinding.objects.filter(own, here, role=role)
