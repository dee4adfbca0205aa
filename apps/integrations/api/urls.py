"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.integrations.api import views

urlpatterns = [
    path("streams", views.StreamList.as_view(), name="api-streams-list"),
    path("streams/<str:stream>", views.StreamDetail.as_view(), name="api-streams-detail"),
    path("streams/<str:stream>/pause", views.StreamPause.as_view(), name="api-streams-pause"),
    path("streams/<str:stream>/resume", views.StreamResume.as_view(), name="api-streams-resume"),
    path("streams/<str:stream>/rewind", views.StreamRewind.as_view(), name="api-streams-rewind"),
    path("streams/<str:stream>/test", views.StreamTest.as_view(), name="api-streams-test"),
]
