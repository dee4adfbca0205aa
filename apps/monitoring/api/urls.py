"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.monitoring.api import views

urlpatterns = [
    path(
        "endpoints/<str:endpoint>/objective",
        views.EndpointObjective.as_view(),
        name="api-endpoints-objective",
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
