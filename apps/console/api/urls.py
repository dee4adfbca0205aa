"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.console.api import views

urlpatterns = [
    path("search", views.Search.as_view(), name="api-search"),
]
