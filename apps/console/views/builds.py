"""A build with its live log."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a build: where it stands, and what it took."""

    name: str
    state: str  # passed, running, failed, ''
    seconds: float | None


def step_rows(build: Build) -> list[StepRow]:
    """Return every step, so that a build that runs shows how far it is and what is to come."""
    ends = {"running": "running", "failed": "failed"}
    rows = []
    for name in STEPS:
        if name == "accelerate" and not build.accelerate:
            continue
        seconds = build.timings.get(name)
        state = "passed" if seconds is not None else ""
        if name == build.step and build.state in ends:
            state = ends[build.state]
        rows.append(StepRow(name, state, seconds))
    return rows


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
        steps=step_rows(found),
        evidence=list(evidence.order_by("created_at")),
    )  # fmt: skip


@action
def cancel(request: PageRequest, build_id: str) -> HttpResponse:
    """Ask a running build to stop."""
    cancel_build(build_of(request, build_id), actor=request.actor)
    return back(request)
