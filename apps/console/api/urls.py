"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.console.api import views
from apps.console.queries.exports import TABLES

urlpatterns = [
    path("search", views.Search.as_view(), name="api-search"),
    *(
        path(f"exports/{name}", views.export_of(name).as_view(), name=f"api-exports-{name}")
        for name in TABLES
    ),
]
