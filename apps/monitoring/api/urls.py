"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.monitoring.api import alerts, captures, objectives, outcomes

urlpatterns = [
    path(
        "endpoints/<str:endpoint>/objective",
        objectives.EndpointObjective.as_view(),
        name="api-endpoints-objective",
    ),
    path(
        "endpoints/<str:endpoint>/predictions",
        captures.Predictions.as_view(),
        name="api-endpoints-predictions",
    ),
    path(
        "endpoints/<str:endpoint>/capture",
        captures.CaptureFigures.as_view(),
        name="api-endpoints-capture",
    ),
    path(
        "endpoints/<str:endpoint>/erasures",
        captures.Erasures.as_view(),
        name="api-endpoints-erasures",
    ),
    path(
        "endpoints/<str:endpoint>/outcomes",
        outcomes.Outcomes.as_view(),
        name="api-endpoints-outcomes",
    ),
    path("alerts", alerts.AlertList.as_view(), name="api-alerts-list"),
    path("alerts/<str:alert>", alerts.AlertDetail.as_view(), name="api-alerts-detail"),
    path(
        "alerts/<str:alert>/acknowledge",
        alerts.AlertAcknowledge.as_view(),
        name="api-alerts-acknowledge",
    ),
    path("alerts/<str:alert>/resolve", alerts.AlertResolve.as_view(), name="api-alerts-resolve"),
]
