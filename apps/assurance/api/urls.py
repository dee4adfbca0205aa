"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.assurance.api import views

RECALL = "recalls/<str:recall>"

urlpatterns = [
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
