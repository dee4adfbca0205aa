"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.serving.api import endpoints, keys, revisions, secrets, target_uses, targets

PLACE = "projects/<slug:slug>/environments/<slug:environment>"
ENVIRONMENT = f"{PLACE}/endpoints"
ONE = "endpoints/<str:endpoint>"

urlpatterns = [
    path("targets", targets.TargetList.as_view(), name="api-targets-list"),
    path("targets/<slug:name>", targets.TargetDetail.as_view(), name="api-targets-detail"),
    path(
        "targets/<slug:name>/join-tokens",
        targets.JoinTokenList.as_view(),
        name="api-join-tokens-list",
    ),
    path("targets/<slug:name>/uses", target_uses.UseList.as_view(), name="api-target-uses-list"),
    path(
        "targets/<slug:name>/uses/<str:use>",
        target_uses.UseDetail.as_view(),
        name="api-target-uses-detail",
    ),
    path(f"{PLACE}/secrets", secrets.SecretList.as_view(), name="api-secrets-list"),
    path("secrets/<str:secret>", secrets.SecretDetail.as_view(), name="api-secrets-detail"),
    path("secrets/<str:secret>/rotate", secrets.SecretRotate.as_view(), name="api-secrets-rotate"),
    path("secrets/<str:secret>/revoke", secrets.SecretRevoke.as_view(), name="api-secrets-revoke"),
    path(ENVIRONMENT, endpoints.EndpointList.as_view(), name="api-endpoints-list"),
    path(
        f"{ENVIRONMENT}/<slug:name>",
        endpoints.EndpointByName.as_view(),
        name="api-endpoints-by-name",
    ),
    path(ONE, endpoints.EndpointDetail.as_view(), name="api-endpoints-detail"),
    path(f"{ONE}/stop", endpoints.EndpointStop.as_view(), name="api-endpoints-stop"),
    path(f"{ONE}/start", endpoints.EndpointStart.as_view(), name="api-endpoints-start"),
    path(f"{ONE}/restart", endpoints.EndpointRestart.as_view(), name="api-endpoints-restart"),
    path(f"{ONE}/scale", endpoints.EndpointScale.as_view(), name="api-endpoints-scale"),
    path(f"{ONE}/predict", endpoints.EndpointPredict.as_view(), name="api-endpoints-predict"),
    path(f"{ONE}/revisions", revisions.RevisionList.as_view(), name="api-revisions-list"),
    path(f"{ONE}/keys", keys.KeyList.as_view(), name="api-endpoint-keys-list"),
    path(f"{ONE}/keys/<str:key>/revoke", keys.KeyRevoke.as_view(), name="api-endpoint-keys-revoke"),
]
