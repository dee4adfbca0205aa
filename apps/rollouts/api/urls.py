"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.rollouts.api import (
    attempts,
    disagreements,
    drills,
    measurements,
    passing,
    rollouts,
    series,
    traffic,
)

urlpatterns = [
    path("rollouts", rollouts.RolloutList.as_view(), name="api-rollouts-list"),
    path("rollouts/<str:rollout>", rollouts.RolloutDetail.as_view(), name="api-rollouts-detail"),
    path(
        "rollouts/<str:rollout>/abort", rollouts.RolloutAbort.as_view(), name="api-rollouts-abort"
    ),
    path(
        "rollouts/<str:rollout>/looks",
        measurements.RolloutLooks.as_view(),
        name="api-rollouts-looks",
    ),
    path(
        "rollouts/<str:rollout>/series", series.RolloutSeries.as_view(), name="api-rollouts-series"
    ),
    path(
        "rollouts/<str:rollout>/disagreements",
        disagreements.RolloutDisagreements.as_view(),
        name="api-rollouts-disagreements",
    ),
    path(
        "rollouts/<str:rollout>/pause", rollouts.RolloutPause.as_view(), name="api-rollouts-pause"
    ),
    path(
        "rollouts/<str:rollout>/resume",
        rollouts.RolloutResume.as_view(),
        name="api-rollouts-resume",
    ),
    path("rollouts/<str:rollout>/skip", rollouts.RolloutSkip.as_view(), name="api-rollouts-skip"),
    path("rollouts/<str:rollout>/ship", rollouts.RolloutShip.as_view(), name="api-rollouts-ship"),
    path(
        "rollouts/<str:rollout>/promote",
        rollouts.RolloutPromote.as_view(),
        name="api-rollouts-promote",
    ),
    path(
        "rollouts/<str:rollout>/passing",
        passing.RolloutPassing.as_view(),
        name="api-rollouts-passing",
    ),
    path(
        "rollouts/<str:rollout>/passing/confirm",
        passing.PassingConfirm.as_view(),
        name="api-rollouts-passing-confirm",
    ),
    path(
        "rollouts/<str:rollout>/passing/decline",
        passing.PassingDecline.as_view(),
        name="api-rollouts-passing-decline",
    ),
    path(
        "rollouts/<str:rollout>/passing/withdraw",
        passing.PassingWithdraw.as_view(),
        name="api-rollouts-passing-withdraw",
    ),
    path(
        "rollouts/<str:rollout>/retry", rollouts.RolloutRetry.as_view(), name="api-rollouts-retry"
    ),
    path(
        "releases/<str:release>/attempts",
        attempts.ReleaseAttempts.as_view(),
        name="api-releases-attempts",
    ),
    path(
        "releases/<str:release>/passed-over",
        passing.ReleasePassedOver.as_view(),
        name="api-releases-passed-over",
    ),
    path(
        "releases/<str:release>/rollout",
        rollouts.ReleaseRollout.as_view(),
        name="api-releases-rollout",
    ),
    path(
        "endpoints/<str:endpoint>/traffic",
        traffic.EndpointTraffic.as_view(),
        name="api-endpoints-traffic",
    ),
    path("endpoints/<str:endpoint>/drills", drills.DrillList.as_view(), name="api-drills-list"),
    path(
        "endpoints/<str:endpoint>/drill-schedule",
        drills.DrillScheduleView.as_view(),
        name="api-drill-schedules",
    ),
    path(
        "endpoints/<str:endpoint>/rollback",
        rollouts.EndpointRollback.as_view(),
        name="api-endpoints-rollback",
    ),
]
