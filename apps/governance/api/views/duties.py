"""How few people could have a release approved, environment by environment."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.api.serializers import DutySerializer
from apps.governance.queries.duties import duties_of, visible_duties
from apps.identity.api.serializers import many, page_of
from placet.kernel.api.views import PlacetView


class DutyList(PlacetView):
    """Separation of duties in every environment."""

    query_params = ("limit", "cursor")

    @extend_schema(operation_id="duties_list", responses=page_of(DutySerializer))
    def get(self, request: Request) -> Response:
        """List the environments whose access you administer or audit, with how few people could
        have a release approved there, and by which steps."""
        render = many(DutySerializer)
        return self.page(visible_duties(self.actor), lambda found: render(duties_of(found)))
