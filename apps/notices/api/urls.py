"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.notices.api import preferences, watches

urlpatterns = [
    path(
        "notices/preferences",
        preferences.NoticePreferenceList.as_view(),
        name="api-notices-preferences",
    ),
    path("notices/watches", watches.WatchList.as_view(), name="api-notices-watches"),
]
