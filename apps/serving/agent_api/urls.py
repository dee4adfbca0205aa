"""Routes of the app under /agent/v1/."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
