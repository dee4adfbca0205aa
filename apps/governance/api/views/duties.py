"""How few people could have a release approved, environment by environment."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.api.serializers import DutySerializer
from apps.governance.queries.duties import duties_of, visible_duties
from placet.kernel.api.lists import ListView, many, page_of


class DutyList(ListView):
    """Separation of duties in every environment."""

    @extend_schema(operation_id="duties_list", responses=page_of(DutySerializer))
    def get(self, request: Request) -> Response:
        """List the environments whose access you administer or audit, with how few people could
        have a release approved there, and by which steps."""
        render = many(DutySerializer)
        return self.page(visible_duties(self.actor), lambda found: render(duties_of(found)))
