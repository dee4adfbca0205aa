"""Routes of the app under /api/v1/."""

from django.urls import URLPattern, path

from apps.builds.api import bentos, builds, ml_bom, runtimes

VERSION = "projects/<slug:slug>/models/<slug:name>/versions/<int:number>"
BENTO = "bentos/<str:digest>"

urlpatterns: list[URLPattern] = [
    path(f"{VERSION}/builds", builds.VersionBuilds.as_view(), name="api-builds-list"),
    path(f"{VERSION}/ml-bom", ml_bom.VersionMlBom.as_view(), name="api-versions-ml-bom"),
    path("builds/<str:build>", builds.BuildDetail.as_view(), name="api-builds-detail"),
    path("builds/<str:build>/log", builds.BuildLog.as_view(), name="api-builds-log"),
    path("builds/<str:build>/cancel", builds.BuildCancel.as_view(), name="api-builds-cancel"),
    path(BENTO, bentos.BentoDetail.as_view(), name="api-bentos-detail"),
    path(f"{BENTO}/sbom", bentos.BentoSbom.as_view(), name="api-bentos-sbom"),
    path(f"{BENTO}/provenance", bentos.BentoProvenance.as_view(), name="api-bentos-provenance"),
    path(
        f"{BENTO}/model-signature",
        bentos.BentoModelSignature.as_view(),
        name="api-bentos-model-signature",
    ),
    path("runtimes/<str:digest>", runtimes.RuntimeDetail.as_view(), name="api-runtimes-detail"),
]
