"""Routes of the app under /agent/v1/."""

from django.urls import path

from apps.serving.agent_api import views

urlpatterns = [
    path("keys", views.Keys.as_view(), name="agent-keys"),
    path("join", views.Join.as_view(), name="agent-join"),
    path("state", views.State.as_view(), name="agent-state"),
    path("report", views.Report.as_view(), name="agent-report"),
    path("blobs/<str:sha256>", views.Blob.as_view(), name="agent-blob"),
    path("runtimes/<str:digest>", views.RuntimeManifest.as_view(), name="agent-runtime"),
]
