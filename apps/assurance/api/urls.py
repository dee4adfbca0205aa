"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.assurance.api import retention, views

RECALL = "recalls/<str:recall>"

urlpatterns = [
    path("audit/retention", retention.RetentionRule.as_view(), name="api-retention"),
    path("audit/legal-holds", retention.LegalHoldList.as_view(), name="api-legal-holds-list"),
    path(
        "audit/legal-holds/<str:hold>/lift",
        retention.LegalHoldLift.as_view(),
        name="api-legal-holds-lift",
    ),
    path("audit/archives", retention.ArchiveList.as_view(), name="api-archives-list"),
    path(
        "audit/archives/<str:archive>/file",
        retention.ArchiveFile.as_view(),
        name="api-archives-file",
    ),
    path("recalls", views.RecallList.as_view(), name="api-recalls-list"),
    path("recalls/preview", views.RecallPreview.as_view(), name="api-recalls-preview"),
    path(RECALL, views.RecallDetail.as_view(), name="api-recalls-detail"),
    path(f"{RECALL}/effects", views.RecallEffects.as_view(), name="api-recalls-effects"),
    path(f"{RECALL}/receipts", views.RecallReceipts.as_view(), name="api-recalls-receipts"),
    path(f"{RECALL}/report", views.RecallReport.as_view(), name="api-recalls-report"),
    path(f"{RECALL}/lift", views.RecallLift.as_view(), name="api-recalls-lift"),
    path(
        "endpoints/<str:endpoint>/receipts",
        views.EndpointReceipts.as_view(),
        name="api-endpoints-receipts",
    ),
]
