"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.console.api import exports, inbox, search
from apps.console.queries.exports import TABLES

urlpatterns = [
    path("inbox/tasks", inbox.TaskList.as_view(), name="api-inbox-tasks"),
    path("search", search.Search.as_view(), name="api-search"),
    *(
        path(f"exports/{name}", exports.export_of(name).as_view(), name=f"api-exports-{name}")
        for name in TABLES
    ),
]
