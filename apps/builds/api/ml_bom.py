"""The ML bill of materials of a version."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.builds import queries
from apps.builds.api.bentos import CYCLONEDX, DOCUMENT, download
from apps.registry.queries import version_for
from placet.kernel.api.views import PlacetView


class VersionMlBom(PlacetView):
    """The ML bill of materials of a version."""

    @extend_schema(operation_id="versions_ml_bom", responses={(200, CYCLONEDX): DOCUMENT})
    def get(self, request: Request, slug: str, name: str, number: int) -> Any:
        """Fetch the CycloneDX 1.7 document with its model card, made from what is known now."""
        version = version_for(slug, name, number, self.actor)
        content = queries.version_ml_bom(version, self.actor)
        return download(content, f"{name}-{number}.cdx.json", CYCLONEDX)
