"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.discussions.api import comments, files, threads

THREAD = "threads/<str:thread>"

urlpatterns = [
    path(
        "discussions/<str:kind>/<str:subject>/threads",
        threads.ThreadList.as_view(),
        name="api-threads-list",
    ),
    path(THREAD, threads.ThreadDetail.as_view(), name="api-threads-detail"),
    path(f"{THREAD}/resolve", threads.ThreadResolve.as_view(), name="api-threads-resolve"),
    path(f"{THREAD}/reopen", threads.ThreadReopen.as_view(), name="api-threads-reopen"),
    path(f"{THREAD}/seen", threads.ThreadSeen.as_view(), name="api-threads-seen"),
    path(f"{THREAD}/comments", comments.CommentList.as_view(), name="api-thread-comments-list"),
    path(
        f"{THREAD}/comments/<str:comment>",
        comments.CommentDetail.as_view(),
        name="api-thread-comments-detail",
    ),
    path(
        f"{THREAD}/comments/<str:comment>/files/<str:file>",
        files.CommentFileDetail.as_view(),
        name="api-thread-files-detail",
    ),
]
