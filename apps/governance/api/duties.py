"""How few people could have a release approved, environment by environment."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.queries.duties import told_duties, visible_duties
from placet.kernel.api.lists import ListView, many, page_of


class GlassDutySerializer(serializers.Serializer[Any]):
    """Whom a policy demands to break the glass, how few could, and what is skipped then."""

    demanded = serializers.IntegerField()
    hours = serializers.IntegerField(help_text="The longest that one lasts")
    skip = serializers.ListField(child=serializers.CharField())
    people = serializers.IntegerField(source="fewest.people", allow_null=True)
    path = serializers.ListField(child=serializers.CharField())


class DutySerializer(serializers.Serializer[Any]):
    """How few people could have a release approved in an environment.

    ``state`` is kept, bypass (fewer than demanded), locked_out (nobody could satisfy the policy),
    waiting (nobody can under the policy in force until people who were invited or let in again have
    signed in, people have set up a second factor, or a recall of somebody's decisions is withdrawn)
    or no_policy. ``people`` are who they
    seem to be; ``hired`` is a smaller number with an access admin who adds people that do not
    exist. ``null``: no set of so few was found.
    """

    id = serializers.CharField(source="environment.pk")
    project = serializers.CharField(source="environment.project.slug")
    environment = serializers.CharField(source="environment.name")
    policy = serializers.IntegerField(allow_null=True)
    state = serializers.CharField()
    demanded = serializers.IntegerField()
    people = serializers.IntegerField(source="fewest.people", allow_null=True)
    path = serializers.ListField(child=serializers.CharField())
    hired = serializers.IntegerField(source="hired.people", allow_null=True)
    hired_path = serializers.ListField(child=serializers.CharField())
    missing_roles = serializers.ListField(
        source="lacking",
        child=serializers.CharField(),
        help_text="The roles as which too few people could decide whoever takes part; empty: none",
    )
    role_givers = serializers.ListField(
        child=serializers.CharField(), help_text="Who gives roles there, by name, as far as you see"
    )
    break_glass = GlassDutySerializer(allow_null=True)


class DutyList(ListView):
    """Separation of duties in every environment."""

    @extend_schema(operation_id="duties_list", responses=page_of(DutySerializer))
    def get(self, request: Request) -> Response:
        """List the environments whose access you administer or audit, with how few people could
        have a release approved there, and by which steps."""
        render = many(DutySerializer)
        rows = visible_duties(self.actor)
        return self.page(rows, lambda page: render(told_duties(page, self.actor)))
