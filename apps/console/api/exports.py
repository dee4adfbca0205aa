"""Every list as a table."""

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request

from apps.console.queries.exports import TABLES
from apps.console.queries.tables import ListTable, csv_lines, json_lines
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput

FORMATS = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "json": ("application/json", json_lines),
}
SAYS = {"who": "`requested`: only what you requested; `decided`: only what you decided on"}


class Export(PlacetView):
    """A list, whole."""

    name: ClassVar[str]
    table: ClassVar[ListTable]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any ``Accept``: the query says what is wanted, and it is not rendered by DRF."""
        return super().perform_content_negotiation(request, True)

    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream every row of the list that you may see, as CSV or JSON."""
        form = request.query_params.get("format", "csv")
        if form not in FORMATS:
            raise InvalidInput(errors=[FieldError("format", "csv or json")])
        filters = {
            n: request.query_params[n] for n in self.table.filters if n in request.query_params
        }
        self.table.check(self.actor, filters)
        media, lines = FORMATS[form]
        rows = self.table.rows(self.actor, filters)
        response = StreamingHttpResponse(lines(self.table, rows), content_type=media)
        response["Content-Disposition"] = f'attachment; filename="placet-{self.name}.{form}"'
        return response


def export_of(name: str) -> type[Export]:
    """Return the view that streams the list called ``name``."""
    table = TABLES[name]
    view = type(
        f"{name.capitalize()}Export",
        (Export,),
        {"name": name, "table": table, "query_params": ("format", *table.filters)},
    )
    described = extend_schema(
        operation_id=f"exports_{name}",
        parameters=[
            OpenApiParameter("format", enum=sorted(FORMATS)),
            *(
                OpenApiParameter(n, description=SAYS.get(n, f"Only this {n}"))
                for n in table.filters
            ),
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/json"): {"type": "array", "items": {"type": "object"}},
        },
    )
    return extend_schema_view(get=described)(view)
