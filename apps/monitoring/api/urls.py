"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.monitoring.api import captures, outcomes, views

urlpatterns = [
    path(
        "endpoints/<str:endpoint>/objective",
        views.EndpointObjective.as_view(),
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
    path("alerts", views.AlertList.as_view(), name="api-alerts-list"),
    path("alerts/<str:alert>", views.AlertDetail.as_view(), name="api-alerts-detail"),
    path(
        "alerts/<str:alert>/acknowledge",
        views.AlertAcknowledge.as_view(),
        name="api-alerts-acknowledge",
    ),
    path("alerts/<str:alert>/resolve", views.AlertResolve.as_view(), name="api-alerts-resolve"),
]
