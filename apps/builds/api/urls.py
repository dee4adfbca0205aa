"""Routes of the app under /api/v1/."""

from django.urls import URLPattern, path

from apps.builds.api import views

VERSION = "projects/<slug:slug>/models/<slug:name>/versions/<int:number>"
BENTO = "bentos/<str:digest>"

urlpatterns: list[URLPattern] = [
    path(f"{VERSION}/builds", views.VersionBuilds.as_view(), name="api-builds-list"),
    path(f"{VERSION}/ml-bom", views.VersionMlBom.as_view(), name="api-versions-ml-bom"),
    path("builds/<str:build>", views.BuildDetail.as_view(), name="api-builds-detail"),
    path("builds/<str:build>/log", views.BuildLog.as_view(), name="api-builds-log"),
    path("builds/<str:build>/cancel", views.BuildCancel.as_view(), name="api-builds-cancel"),
    path(BENTO, views.BentoDetail.as_view(), name="api-bentos-detail"),
    path(f"{BENTO}/sbom", views.BentoSbom.as_view(), name="api-bentos-sbom"),
    path(f"{BENTO}/provenance", views.BentoProvenance.as_view(), name="api-bentos-provenance"),
    path(
        f"{BENTO}/model-signature",
        views.BentoModelSignature.as_view(),
        name="api-bentos-model-signature",
    ),
    path("runtimes/<str:digest>", views.RuntimeDetail.as_view(), name="api-runtimes-detail"),
]
