"""The permit of a release, and a release and a decision as files that outsiders can check."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.governance import actions
from apps.governance.actions.bundle import release_bundle
from apps.governance.actions.release_documents import verification_summary
from apps.governance.models import Decision
from apps.governance.queries import visible_rows
from apps.identity.trust import passkeys
from placet.kernel.api.views import PlacetView
from placet.kernel.keystore import ring
from placet_verify.bundle.export import decision_bundle, passkey_bundle
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.webauthn import Assertion

_EPOCH = (1980, 1, 1, 0, 0, 0)


class ZipRenderer(JSONRenderer):
    """Lets a client ask for a zip; a refusal is still problem details in JSON."""

    media_type = "application/zip"
    format = "zip"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip with the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def bundle(decision: Decision) -> bytes:
    """Return the exported decision."""
    envelope = Envelope.from_json(decision.envelope)
    key = ring().get(envelope.signatures[0].keyid).public
    files = decision_bundle(envelope, key)
    if decision.assertion:
        assertion = Assertion.from_dict(decision.assertion)
        chain = passkeys.enrolments([assertion.credential])
        files |= passkey_bundle(envelope.payload, assertion, chain)
    return zipped(files)


class ReleaseBundle(PlacetView):
    """The bundle of a release."""

    renderer_classes: Any = [JSONRenderer, ZipRenderer]

    @extend_schema(
        operation_id="releases_bundle",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, release: str) -> HttpResponse:
        """Download a release with all that an outsider needs to check it. Is itself an event."""
        row = visible_rows.release(release, self.actor)
        content = zipped(release_bundle(row, self.actor))
        response = HttpResponse(content, content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="release-{row.number}.zip"'
        return response


class ReleaseSummary(PlacetView):
    """The verification summary of a release."""

    @extend_schema(
        operation_id="releases_summary",
        responses={(200, "application/vnd.dsse+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, release: str) -> HttpResponse:
        """Verify a decided release now, and download the SLSA summary of it as signed."""
        row = visible_rows.release(release, self.actor)
        response = HttpResponse(verification_summary(row), content_type="application/vnd.dsse+json")
        response["Content-Disposition"] = f'attachment; filename="release-{row.number}.vsa.json"'
        return response


class ReleasePermit(PlacetView):
    """The permit of a release."""

    @extend_schema(operation_id="releases_permit", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, release: str) -> HttpResponse:
        """Read the permit: policy, request and decisions as signed envelopes."""
        row = visible_rows.release(release, self.actor)
        return HttpResponse(actions.permit_to_hand_out(row), content_type="application/json")


class DecisionExport(PlacetView):
    """The export of a decision."""

    renderer_classes: Any = [JSONRenderer, ZipRenderer]

    @extend_schema(
        operation_id="decisions_export",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, decision: str) -> HttpResponse:
        """Download a decision: what was signed, with the signature and key for openssl."""
        row = visible_rows.decision(decision, self.actor)
        response = HttpResponse(bundle(row), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="{row.pk}.zip"'
        return response
