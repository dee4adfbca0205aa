"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.rollouts.api import disagreements, drills, views

urlpatterns = [
    path("rollouts", views.RolloutList.as_view(), name="api-rollouts-list"),
    path("rollouts/<str:rollout>", views.RolloutDetail.as_view(), name="api-rollouts-detail"),
    path("rollouts/<str:rollout>/abort", views.RolloutAbort.as_view(), name="api-rollouts-abort"),
    path("rollouts/<str:rollout>/looks", views.RolloutLooks.as_view(), name="api-rollouts-looks"),
    path(
        "rollouts/<str:rollout>/series", views.RolloutSeries.as_view(), name="api-rollouts-series"
    ),
    path(
        "rollouts/<str:rollout>/disagreements",
        disagreements.RolloutDisagreements.as_view(),
        name="api-rollouts-disagreements",
    ),
    path("rollouts/<str:rollout>/pause", views.RolloutPause.as_view(), name="api-rollouts-pause"),
    path(
        "rollouts/<str:rollout>/resume", views.RolloutResume.as_view(), name="api-rollouts-resume"
    ),
    path("rollouts/<str:rollout>/skip", views.RolloutSkip.as_view(), name="api-rollouts-skip"),
    path("rollouts/<str:rollout>/ship", views.RolloutShip.as_view(), name="api-rollouts-ship"),
    path(
        "rollouts/<str:rollout>/promote",
        views.RolloutPromote.as_view(),
        name="api-rollouts-promote",
    ),
    path("rollouts/<str:rollout>/retry", views.RolloutRetry.as_view(), name="api-rollouts-retry"),
    path(
        "releases/<str:release>/rollout",
        views.ReleaseRollout.as_view(),
        name="api-releases-rollout",
    ),
    path("endpoints/<str:endpoint>/drills", drills.DrillList.as_view(), name="api-drills-list"),
    path(
        "endpoints/<str:endpoint>/drill-schedule",
        drills.DrillScheduleView.as_view(),
        name="api-drill-schedules",
    ),
    path(
        "endpoints/<str:endpoint>/rollback",
        views.EndpointRollback.as_view(),
        name="api-endpoints-rollback",
    ),
]
