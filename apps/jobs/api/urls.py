"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.jobs.api import views

urlpatterns = [
    path("jobs", views.JobList.as_view(), name="api-jobs-list"),
    path("jobs/<str:job>", views.JobDetail.as_view(), name="api-jobs-detail"),
    path("jobs/<str:job>/cancel", views.JobCancel.as_view(), name="api-jobs-cancel"),
]
