"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.identity.api import (
    devices,
    passkeys,
    people,
    positions,
    projects,
    roles,
    second_factor,
    service_accounts,
    teams,
    tokens,
    whoami,
)

urlpatterns = [
    path("device/code", devices.DeviceCode.as_view(), name="api-device-code"),
    path("device/token", devices.DeviceToken.as_view(), name="api-device-token"),
    path("whoami", whoami.Whoami.as_view(), name="api-whoami"),
    path("projects", projects.ProjectList.as_view(), name="api-projects-list"),
    path("projects/<slug:slug>", projects.ProjectDetail.as_view(), name="api-projects-detail"),
    path("people", people.PersonList.as_view(), name="api-people-list"),
    path("people/<str:person>", people.PersonDetail.as_view(), name="api-people-detail"),
    path(
        "people/<str:person>/deactivate",
        people.PersonDeactivate.as_view(),
        name="api-people-deactivate",
    ),
    path(
        "people/<str:person>/erase",
        people.PersonErase.as_view(),
        name="api-people-erase",
    ),
    path(
        "people/<str:person>/reactivate",
        people.PersonReactivate.as_view(),
        name="api-people-reactivate",
    ),
    path(
        "people/<str:person>/end-sessions",
        people.PersonEndSessions.as_view(),
        name="api-people-end-sessions",
    ),
    path(
        "people/<str:person>/setup-link",
        people.PersonSetupLink.as_view(),
        name="api-people-setup-link",
    ),
    path(
        "people/<str:person>/position",
        positions.PositionDetail.as_view(),
        name="api-people-position",
    ),
    path("positions", positions.PositionList.as_view(), name="api-positions-list"),
    path("teams", teams.TeamList.as_view(), name="api-teams-list"),
    path("teams/<str:team>", teams.TeamDetail.as_view(), name="api-teams-detail"),
    path("teams/<str:team>/members", teams.MemberList.as_view(), name="api-members-list"),
    path(
        "teams/<str:team>/members/<str:person>/remove",
        teams.MemberRemove.as_view(),
        name="api-members-remove",
    ),
    path(
        "service-accounts",
        service_accounts.ServiceAccountList.as_view(),
        name="api-service-accounts-list",
    ),
    path(
        "service-accounts/<str:account>",
        service_accounts.ServiceAccountDetail.as_view(),
        name="api-service-accounts-detail",
    ),
    path(
        "service-accounts/<str:account>/deactivate",
        service_accounts.ServiceAccountDeactivate.as_view(),
        name="api-service-accounts-deactivate",
    ),
    path("roles", roles.RoleList.as_view(), name="api-roles-list"),
    path("roles/<str:role>", roles.RoleDetail.as_view(), name="api-roles-detail"),
    path("roles/<str:role>/revoke", roles.RoleRevoke.as_view(), name="api-roles-revoke"),
    path(
        "second-factor-demands",
        second_factor.SecondFactorDemandList.as_view(),
        name="api-second-factor-demands-list",
    ),
    path(
        "second-factor-demands/<str:demanding_role>/waive",
        second_factor.SecondFactorDemandWaive.as_view(),
        name="api-second-factor-demands-waive",
    ),
    path("passkeys", passkeys.PasskeyList.as_view(), name="api-passkeys-list"),
    path(
        "passkeys/challenge",
        passkeys.PasskeyOfferChallenge.as_view(),
        name="api-passkeys-offer-challenge",
    ),
    path("passkeys/<str:passkey>", passkeys.PasskeyDetail.as_view(), name="api-passkeys-detail"),
    path(
        "passkeys/<str:passkey>/challenge",
        passkeys.PasskeyEnrolChallenge.as_view(),
        name="api-passkeys-enrol-challenge",
    ),
    path(
        "passkeys/<str:passkey>/enrol", passkeys.PasskeyEnrol.as_view(), name="api-passkeys-enrol"
    ),
    path(
        "passkeys/<str:passkey>/withdraw",
        passkeys.PasskeyWithdraw.as_view(),
        name="api-passkeys-withdraw",
    ),
    path("tokens", tokens.TokenList.as_view(), name="api-tokens-list"),
    path("tokens/<str:token>", tokens.TokenDetail.as_view(), name="api-tokens-detail"),
    path("tokens/<str:token>/revoke", tokens.TokenRevoke.as_view(), name="api-tokens-revoke"),
]
