"""Routes of the app under /api/v1/."""

from django.urls import URLPattern, path

from apps.registry.api import (
    aliases,
    cards,
    comparisons,
    declarations,
    evidence,
    files,
    models,
    signing_keys,
    storage,
    uploads,
    versions,
)

MODELS = "projects/<slug:slug>/models"
MODEL = f"{MODELS}/<slug:name>"
VERSION = f"{MODEL}/versions/<int:number>"
COMPARE = f"{MODEL}/versions/<int:a>/compare/<int:b>"

urlpatterns: list[URLPattern] = [
    path("projects/<slug:slug>/storage", storage.Storage.as_view(), name="api-projects-storage"),
    path(
        "projects/<slug:slug>/signing-keys",
        signing_keys.SigningKeyList.as_view(),
        name="api-signing-keys-list",
    ),
    path(
        "projects/<slug:slug>/signing-keys/<str:signing_key>/revoke",
        signing_keys.SigningKeyRevoke.as_view(),
        name="api-signing-keys-revoke",
    ),
    path(
        "projects/<slug:slug>/declarations",
        declarations.DeclarationList.as_view(),
        name="api-declarations-list",
    ),
    path(MODELS, models.ModelList.as_view(), name="api-models-list"),
    path(MODEL, models.ModelDetail.as_view(), name="api-models-detail"),
    path(f"{MODEL}/aliases", aliases.AliasList.as_view(), name="api-aliases-list"),
    path(f"{MODEL}/aliases/<slug:alias>", aliases.AliasDetail.as_view(), name="api-aliases-detail"),
    path(f"{MODEL}/versions", versions.VersionList.as_view(), name="api-versions-list"),
    path(VERSION, versions.VersionDetail.as_view(), name="api-versions-detail"),
    path(COMPARE, comparisons.VersionCompare.as_view(), name="api-versions-compare"),
    path(f"{VERSION}/finalise", versions.VersionFinalise.as_view(), name="api-versions-finalise"),
    path(f"{VERSION}/tags", versions.VersionTags.as_view(), name="api-versions-tags"),
    path(f"{VERSION}/card", cards.VersionCard.as_view(), name="api-versions-card"),
    path(f"{VERSION}/uploads", uploads.UploadList.as_view(), name="api-uploads-list"),
    path(f"{VERSION}/files/<path:path>", files.VersionFile.as_view(), name="api-versions-file"),
    path(f"{VERSION}/evidence", evidence.EvidenceList.as_view(), name="api-evidence-list"),
    path(
        f"{VERSION}/evidence/<str:evidence>",
        evidence.EvidenceDetail.as_view(),
        name="api-evidence-detail",
    ),
    path("uploads/<str:upload>", uploads.UploadDetail.as_view(), name="api-uploads-detail"),
    path("uploads/<str:upload>/finish", uploads.UploadFinish.as_view(), name="api-uploads-finish"),
]
