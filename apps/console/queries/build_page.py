"""The page of one build: its log, how far it is, and what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.builds.models import Build, BuildLine
from apps.builds.rules import OPEN, BuildState
from apps.console.queries.evidence_words import apart, found_by
from apps.console.queries.page_parts import Button, Sign, Tone, counted
from apps.console.queries.verdicts import (
    ICONS,
    SMOKE_WORDS,
    build_sign,
    scan_tone,
    smoke_tone,
)
from apps.console.templatetags.placet import span, words
from apps.governance.queries.facts import evidence_fact, was_called_safe
from apps.identity.queries import people_names
from placet.kernel.actor import Actor, Scope

STEPS = [
    "fetch",
    "scan",
    "runtime",
    "generate",
    "accelerate",
    "build",
    "smoke",
    "sbom",
    "export",
]
EVIDENCE = ["scan", "smoke_test", "sbom", "acceleration"]
LINES = 2000
FROZEN = (
    "The version's files and requirements are frozen. If the problem is in them, register a new "
    "version; otherwise build again."
)


@dataclass(frozen=True, slots=True)
class BuildStepRow:
    """One step of a build: where it stands, and what it took."""

    name: str
    state: str  # passed, running, failed, ''
    seconds: float | None

    @property
    def took(self) -> str:
        """How long it took, or that it is under way."""
        if self.seconds is not None:
            return span(self.seconds)
        return "now" if self.state == BuildState.RUNNING else ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of what was built."""

    tone: Tone
    title: str
    note: str

    @property
    def icon(self) -> str:
        """The sign beside it, so that it is no colour alone."""
        return ICONS[self.tone]


@dataclass(frozen=True, slots=True)
class BuildPage:
    """Everything the page of one build shows."""

    build: Build
    actor: Actor
    names: dict[str, str]
    lines: list[BuildLine]
    steps: list[BuildStepRow]
    evidence: list[Measurement]
    smoke: str | None = None  # what the smoke test of what it built found

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the build."""
        scope = Scope(self.build.project_scope(), self.build.environment_scope())
        return self.actor.can(permission, scope)

    @property
    def buttons(self) -> list[Button]:
        """Where it goes on once it is built."""
        version, project = self.build.version, self.build.project
        at = [project.slug, version.model.name, version.number]
        return [Button("Open version", href=reverse("version", args=at))]

    @property
    def is_open(self) -> bool:
        """Whether it may still change, so that the page renews it."""
        return self.build.state in OPEN

    @property
    def sign(self) -> Sign:
        """How it stands."""
        return build_sign(self.build.state, self.smoke)

    @property
    def waits(self) -> str:
        """What stands in the log while there is no line."""
        waiting = {"queued": "Waiting for a build worker…", "running": "Started…"}
        return waiting.get(self.build.state, "No log.")

    @property
    def is_cut(self) -> bool:
        """Whether earlier lines are left out."""
        return len(self.lines) == LINES

    @property
    def fault_line(self) -> BuildLine | None:
        """The last line of the step that failed, to which the log jumps."""
        if self.build.state != BuildState.FAILED:
            return None
        return next((row for row in self.lines[::-1] if row.step == self.build.step), None)

    @property
    def may_cancel(self) -> bool:
        """Whether the reader may stop it."""
        return self.is_open and self.may("build.cancel")

    @property
    def may_build(self) -> bool:
        """Whether the reader may have the version built again."""
        return self.may("build.start")

    @property
    def error(self) -> str:
        """Why it failed."""
        return self.build.error or "The build failed: see the log."

    @property
    def stopped_at(self) -> str:
        """At which step it failed, and what to do."""
        if not self.build.step:
            return FROZEN
        return f"Stopped at step {words(self.build.step).lower()}. {FROZEN}"

    @property
    def asked_by(self) -> str:
        """Who asked for it."""
        return self.names.get(self.build.requested_by, "")

    @property
    def isolation(self) -> str:
        """What it ran in; '' before it ran."""
        if not self.build.isolation:
            return ""
        return "sandbox (bwrap)" if self.build.isolation == "bwrap" else "unprivileged user"

    @property
    def acceleration(self) -> str:
        """What came of trying the model's ONNX form; '' where that was not asked for."""
        if not self.build.accelerate:
            return ""
        if self.build.state != BuildState.SUCCEEDED:
            return "requested"
        bento = getattr(self.build, "bento", None)
        served = bento is not None and bento.accelerated
        return "ONNX form is served" if served else "original model is served"

    @property
    def slim(self) -> str:
        """Whether a release may ask for it without BentoML; '' where nothing was built."""
        bento = getattr(self.build, "bento", None)
        if bento is None:
            return ""
        return "can be served slim" if bento.slim else "cannot be served slim"


def step_rows(build: Build, smoke: str | None = None) -> list[BuildStepRow]:
    """Return every step, so that a build that runs shows how far it is and what is to come.

    What a step took is written down when the build is over: those before the present one ended.
    """
    ends = (BuildState.RUNNING, BuildState.FAILED)
    ended = STEPS[: STEPS.index(build.step)] if build.step in STEPS else []
    rows = []
    for name in STEPS:
        if name == "accelerate" and not build.accelerate:
            continue
        seconds = build.timings.get(name)
        state = "passed" if seconds is not None or name in ended else ""
        if name == "smoke" and state and smoke in SMOKE_WORDS:
            state = "failed"
        if name == build.step and build.state in ends:
            state = build.state
        rows.append(BuildStepRow(name, state, seconds))
    return rows


def measured(kind: str, data: Mapping[str, Any]) -> Measurement:
    """Return what evidence of a build says."""
    equal = f"{data.get('equal', '')} of {data.get('rows', '')}"
    match kind:
        case "scan":
            verdict = data.get("verdict", "")
            note = f"{counted(len(found_by(data)), 'finding')}, nothing imported"
            return Measurement(scan_tone(verdict), f"Scan: {verdict}", note)
        case "smoke_test":
            result = data.get("result", "")
            note = f"{equal} outputs as expected"
            if result == "starts":
                note = "no expected output to compare with"
            return Measurement(smoke_tone(result), f"Smoke test: {result}", note)
        case "acceleration" if data.get("verdict") == "accelerated":
            note = f"{equal} rows equal, {apart(data)}"
            return Measurement("pass", "Acceleration: ONNX is served", note)
        case "acceleration":
            title = "ONNX: the original model is served"
            return Measurement("wait", title, str(data.get("detail", "")))
        case _:
            return Measurement("pass", "SBOM", f"{data.get('components', '')} components")


def build_page(build: Build, actor: Actor) -> BuildPage:
    """Return everything the page of ``build`` shows."""
    found = build.version.evidence.filter(
        kind__in=EVIDENCE, bento_digest__in={"", build.bento_digest}
    )
    in_order = sorted(found.order_by("created_at"), key=was_called_safe, reverse=True)
    newest = {e.kind: e for e in in_order}  # of a Bento that was built twice
    test = newest.get("smoke_test")
    smoke = test.data.get("result") if test and build.bento_digest else None
    return BuildPage(
        build=build,
        actor=actor,
        names=people_names([build.requested_by]),
        lines=list(build.lines.order_by("-number")[:LINES])[::-1],
        steps=step_rows(build, smoke),
        evidence=[measured(e.kind, evidence_fact(e).data) for e in newest.values()],
        smoke=smoke,
    )
