"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.audit.api import events, keys, timestamps, tree, verifier, witnesses

urlpatterns = [
    path("audit/events", events.EventList.as_view(), name="api-audit-events-list"),
    path("audit/events/<int:index>", events.EventDetail.as_view(), name="api-audit-events-detail"),
    path(
        "audit/events/<int:index>/proof", events.EventProof.as_view(), name="api-audit-events-proof"
    ),
    path(
        "audit/events/<int:index>/tlog-proof",
        events.EventProofFile.as_view(),
        name="api-audit-events-tlog-proof",
    ),
    path("audit/leaves", tree.Leaves.as_view(), name="api-audit-leaves"),
    path("audit/checkpoint", tree.NewestCheckpoint.as_view(), name="api-audit-checkpoint"),
    path("audit/consistency", tree.Consistency.as_view(), name="api-audit-consistency"),
    path("audit/tiles/<int:level>/<int:index>", tree.TileDetail.as_view(), name="api-audit-tiles"),
    path("audit/export", events.Export.as_view(), name="api-audit-export"),
    path("audit/witnesses", witnesses.WitnessList.as_view(), name="api-witnesses-list"),
    path(
        "audit/witnesses/<str:witness>/remove",
        witnesses.WitnessRemove.as_view(),
        name="api-witnesses-remove",
    ),
    path(
        "audit/witnessed-logs", witnesses.WitnessedLogList.as_view(), name="api-witnessed-logs-list"
    ),
    path(
        "audit/witnessed-logs/<str:log>/remove",
        witnesses.WitnessedLogRemove.as_view(),
        name="api-witnessed-logs-remove",
    ),
    path("audit/witness-keys", witnesses.OwnKeys.as_view(), name="api-witness-keys"),
    path("audit/timestamps", timestamps.TimestampList.as_view(), name="api-timestamps-list"),
    path(
        "audit/timestamps/<int:size>/<str:authority>",
        timestamps.TimestampDetail.as_view(),
        name="api-timestamps-detail",
    ),
    path("verifier", verifier.Verifier.as_view(), name="api-verifier"),
    path("verifier/page", verifier.VerifierPage.as_view(), name="api-verifier-page"),
    path("keys", keys.Keys.as_view(), name="api-keys-list"),
    path("keys/root", keys.RootKey.as_view(), name="api-keys-root"),
]
