"""Routes of the app under /agent/v1/."""

from django.urls import path

from apps.serving.agent_api import views

urlpatterns = [
    path("keys", views.KeysView.as_view(), name="agent-keys"),
    path("join", views.JoinView.as_view(), name="agent-join"),
    path("state", views.StateView.as_view(), name="agent-state"),
    path("report", views.ReportView.as_view(), name="agent-report"),
    path("blobs/<str:sha256>", views.BlobView.as_view(), name="agent-blob"),
    path(
        "secrets/<str:revision>/<slug:name>/<str:value>",
        views.SecretView.as_view(),
        name="agent-secret",
    ),
    path("runtimes/<str:digest>", views.RuntimeManifestView.as_view(), name="agent-runtime"),
]
