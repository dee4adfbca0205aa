"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.assurance.api import (
    archives,
    deployments,
    figures,
    legal_holds,
    recalls,
    receipts,
    retention,
)

RECALL = "recalls/<str:recall>"

urlpatterns = [
    path("audit/retention", retention.RetentionRule.as_view(), name="api-retention"),
    path("audit/legal-holds", legal_holds.LegalHoldList.as_view(), name="api-legal-holds-list"),
    path(
        "audit/legal-holds/<str:hold>/lift",
        legal_holds.LegalHoldLift.as_view(),
        name="api-legal-holds-lift",
    ),
    path("audit/archives", archives.ArchiveList.as_view(), name="api-archives-list"),
    path(
        "audit/archives/<str:archive>/file",
        archives.ArchiveFile.as_view(),
        name="api-archives-file",
    ),
    path("deployments", deployments.DeploymentList.as_view(), name="api-deployments-list"),
    path(
        "projects/<slug:slug>/figures",
        figures.ReleaseFigures.as_view(),
        name="api-projects-figures",
    ),
    path("recalls", recalls.RecallList.as_view(), name="api-recalls-list"),
    path("recalls/preview", recalls.RecallPreview.as_view(), name="api-recalls-preview"),
    path(RECALL, recalls.RecallDetail.as_view(), name="api-recalls-detail"),
    path(f"{RECALL}/effects", recalls.RecallEffects.as_view(), name="api-recalls-effects"),
    path(f"{RECALL}/receipts", receipts.RecallReceipts.as_view(), name="api-recalls-receipts"),
    path(f"{RECALL}/report", recalls.RecallReport.as_view(), name="api-recalls-report"),
    path(f"{RECALL}/lift", recalls.RecallLift.as_view(), name="api-recalls-lift"),
    path(
        "endpoints/<str:endpoint>/receipts",
        receipts.EndpointReceipts.as_view(),
        name="api-endpoints-receipts",
    ),
]
