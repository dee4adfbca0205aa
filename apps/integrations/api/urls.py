"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.integrations.api import streams

urlpatterns = [
    path("streams", streams.StreamList.as_view(), name="api-streams-list"),
    path("streams/<str:stream>", streams.StreamDetail.as_view(), name="api-streams-detail"),
    path("streams/<str:stream>/pause", streams.StreamPause.as_view(), name="api-streams-pause"),
    path("streams/<str:stream>/resume", streams.StreamResume.as_view(), name="api-streams-resume"),
    path("streams/<str:stream>/rewind", streams.StreamRewind.as_view(), name="api-streams-rewind"),
    path("streams/<str:stream>/test", streams.StreamTest.as_view(), name="api-streams-test"),
]
