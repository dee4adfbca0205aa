"""A build with its live log."""

from django.http import HttpResponse

from apps.builds.actions import cancel_build
from apps.builds.models import Build
from apps.console.views.base import PageRequest, action, back, page, show
from apps.identity.queries import people_names, visible
from placet.kernel.problems import NotFound

STEPS = [
    "fetch", "scan", "runtime", "generate", "accelerate", "build", "smoke", "sbom", "export",
]  # fmt: skip
EVIDENCE = ["scan", "smoke_test", "sbom", "acceleration"]


def build_of(request: PageRequest, build_id: str) -> Build:
    """Return the build that the actor may see, or raise :class:`NotFound`."""
    found = visible(
        Build.objects.select_related("version__model", "project", "bento"),
        request.actor,
        view="build.view",
    )
    build = found.filter(pk=build_id).first()
    if build is None:
        raise NotFound
    return build


@page
def build(request: PageRequest, build_id: str) -> HttpResponse:
    """Show a build; the log part renews itself while it runs."""
    found = build_of(request, build_id)
    template = "parts/build" if request.headers.get("HX-Request") else "build"
    names = people_names([found.requested_by])
    lines = list(found.lines.order_by("number")[:2000])
    measured = found.version.evidence.filter(kind__in=EVIDENCE)
    evidence = measured.filter(bento_digest__in={"", found.bento_digest})
    return show(
        request, template, build=found, lines=lines, names=names,
        timings=[(step, found.timings[step]) for step in STEPS if step in found.timings],
        evidence=list(evidence.order_by("created_at")),
    )  # fmt: skip


@action
def cancel(request: PageRequest, build_id: str) -> HttpResponse:
    """Ask a running build to stop."""
    cancel_build(build_of(request, build_id), actor=request.actor)
    return back(request)
