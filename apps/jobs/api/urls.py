"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.jobs.api import jobs

urlpatterns = [
    path("jobs", jobs.JobList.as_view(), name="api-jobs-list"),
    path("jobs/<str:job>", jobs.JobDetail.as_view(), name="api-jobs-detail"),
    path("jobs/<str:job>/cancel", jobs.JobCancel.as_view(), name="api-jobs-cancel"),
]
