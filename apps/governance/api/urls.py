"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.governance.api import (
    absences,
    break_glass,
    comments,
    deciders,
    decisions,
    duties,
    environments,
    exports,
    freezes,
    inbox,
    policies,
    presets,
    records,
    releases,
)

PLACE = "projects/<slug:slug>/environments/<slug:name>"
POLICY = f"{PLACE}/policies/<int:number>"
ONE = "releases/<str:release>"
GLASS = "break-glass/<str:glass>"

urlpatterns = [
    path(
        "projects/<slug:slug>/environments",
        environments.EnvironmentList.as_view(),
        name="api-environments-list",
    ),
    path("duties", duties.DutyList.as_view(), name="api-duties-list"),
    path(PLACE, environments.EnvironmentDetail.as_view(), name="api-environments-detail"),
    path(f"{PLACE}/plans", presets.PresetList.as_view(), name="api-plans-list"),
    path(f"{PLACE}/freezes", freezes.FreezeList.as_view(), name="api-freezes-list"),
    path(
        f"{PLACE}/freezes/<str:freeze>/lift",
        freezes.FreezeLift.as_view(),
        name="api-freezes-lift",
    ),
    path(f"{PLACE}/policies", policies.PolicyList.as_view(), name="api-policies-list"),
    path(f"{PLACE}/policies/dry-run", policies.PolicyTry.as_view(), name="api-policies-try"),
    path(POLICY, policies.PolicyDetail.as_view(), name="api-policies-detail"),
    path(f"{POLICY}/dry-run", policies.PolicyDryRun.as_view(), name="api-policies-dry-run"),
    path(f"{POLICY}/publish", policies.PolicyPublish.as_view(), name="api-policies-publish"),
    path(f"{POLICY}/challenge", policies.PolicyChallenge.as_view(), name="api-policies-challenge"),
    path(f"{POLICY}/withdraw", policies.PolicyWithdraw.as_view(), name="api-policies-withdraw"),
    path(
        "projects/<slug:slug>/releases",
        releases.ReleaseList.as_view(),
        name="api-project-releases-list",
    ),
    path("releases", releases.AllReleases.as_view(), name="api-releases-list"),
    path("absence", absences.OwnAbsenceDetail.as_view(), name="api-absence"),
    path("absence/clear", absences.OwnAbsenceClear.as_view(), name="api-absence-clear"),
    path("inbox", inbox.Inbox.as_view(), name="api-inbox-list"),
    path(ONE, releases.ReleaseDetail.as_view(), name="api-releases-detail"),
    path(f"{ONE}/decisions", decisions.DecisionList.as_view(), name="api-decisions-list"),
    path(
        f"{ONE}/decisions/challenge",
        decisions.DecisionChallenge.as_view(),
        name="api-decisions-challenge",
    ),
    path(
        f"{ONE}/review-requests",
        deciders.ReviewRequestList.as_view(),
        name="api-review-requests-list",
    ),
    path(
        "review-requests/<str:review>/remove",
        deciders.ReviewRequestRemove.as_view(),
        name="api-review-requests-remove",
    ),
    path(f"{ONE}/comments", comments.CommentList.as_view(), name="api-comments-list"),
    path(f"{ONE}/withdraw", releases.ReleaseWithdraw.as_view(), name="api-releases-withdraw"),
    path(f"{ONE}/bundle", exports.ReleaseBundle.as_view(), name="api-releases-bundle"),
    path(f"{ONE}/vsa", exports.ReleaseSummary.as_view(), name="api-releases-summary"),
    path(f"{ONE}/permit", exports.ReleasePermit.as_view(), name="api-releases-permit"),
    path(f"{ONE}/break-glass", break_glass.BreakGlassOpen.as_view(), name="api-glass-open"),
    path(
        f"{ONE}/break-glass/challenge",
        break_glass.BreakGlassOpenChallenge.as_view(),
        name="api-glass-open-challenge",
    ),
    path("break-glass", break_glass.BreakGlassList.as_view(), name="api-glass-list"),
    path(GLASS, break_glass.BreakGlassDetail.as_view(), name="api-glass-detail"),
    path(f"{GLASS}/confirm", break_glass.BreakGlassConfirm.as_view(), name="api-glass-confirm"),
    path(
        f"{GLASS}/confirm/challenge",
        break_glass.BreakGlassConfirmChallenge.as_view(),
        name="api-glass-confirm-challenge",
    ),
    path(f"{GLASS}/end", break_glass.BreakGlassEnd.as_view(), name="api-glass-end"),
    path(f"{GLASS}/review", break_glass.BreakGlassReview.as_view(), name="api-glass-review"),
    path("decisions/<str:decision>", records.DecisionDetail.as_view(), name="api-decisions-detail"),
    path(
        "decisions/<str:decision>/withdraw",
        decisions.DecisionWithdraw.as_view(),
        name="api-decisions-withdraw",
    ),
    path(
        "decisions/<str:decision>/export",
        exports.DecisionExport.as_view(),
        name="api-decisions-export",
    ),
]
