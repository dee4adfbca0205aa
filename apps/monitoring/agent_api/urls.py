"""Routes of the app under /agent/v1/."""

from django.urls import path

from apps.monitoring.agent_api import views

urlpatterns = [path("captures", views.CapturesView.as_view(), name="agent-captures")]
