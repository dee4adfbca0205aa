"""The page of one version: what it is, what is missing, where it runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from apps.assurance.models import RecallKind
from apps.builds.rules import BuildState
from apps.console.queries import version_recall
from apps.console.queries.events import EventLine, story
from apps.console.queries.evidence_words import signer
from apps.console.queries.page_parts import Banner, Button, Link
from apps.console.queries.paging import PAGE
from apps.console.queries.release_words import with_words
from apps.console.queries.verdicts import SMOKE_WORDS
from apps.console.queries.version_parts import (
    EvidenceLine,
    ModelColumn,
    alias_words,
    builds_of,
    columns,
    evidence_lines,
    measured_signature,
    pair,
    response,
    signature_note,
    signer_labels,
)
from apps.console.queries.version_steps import ReadinessStep, Ways, steps
from apps.governance.models import Release
from apps.governance.queries.facts import was_called_safe
from apps.registry.cards import render
from apps.registry.comparison import code_facts
from apps.registry.formats import ACCELERABLE
from apps.registry.models import ArtifactFile, Evidence, ModelVersion, VersionState
from apps.registry.queries import newest_evidence
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor, Scope

MANY = 12  # so many inputs are folded away
FILES, BUILDS, RELEASES = 200, 10, 20


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Everything the page of one version shows."""

    version: ModelVersion
    actor: Actor
    names: dict[str, str]
    facts: list[Evidence]
    signers: dict[str, str]  # label by the fingerprint of the key
    files: list[ArtifactFile]
    builds: Sequence[Any]  # each with the recalls of its Bento, and how it stands
    releases: list[Release]
    timeline: list[EventLine]
    recall: version_recall.ToldRecall | None  # of it or of its data, for who may see recalls
    card: SafeString  # as HTML; '' without one

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the version."""
        scope = Scope(self.version.project_scope(), self.version.environment_scope())
        return self.actor.can(permission, scope)

    def url(self, name: str) -> str:
        """Return the address ``name`` of the version."""
        version = self.version
        return reverse(name, args=[version.project.slug, version.model.name, version.number])

    @property
    def may_edit(self) -> bool:
        """Whether the reader may change tags, card and aliases."""
        return self.may("version.edit")

    @property
    def may_build(self) -> bool:
        """Whether the reader may have it built now."""
        return self.is_frozen and self.may("build.start")

    @property
    def may_point(self) -> bool:
        """Whether the reader may point an alias at it."""
        return self.is_frozen and self.may_edit

    @property
    def is_frozen(self) -> bool:
        """Whether its files and facts can no longer change."""
        return self.version.state == VersionState.FINALISED

    @property
    def built(self) -> bool:
        """Whether there is a Bento to ask a release of."""
        return self.newest_built is not None

    @property
    def newest_built(self) -> Any:
        """The newest build that made a Bento; ``None`` where none did."""
        return next((b for b in self.builds if b.state == BuildState.SUCCEEDED), None)

    @property
    def dated(self) -> datetime:
        """When it was registered, or a draft that is none yet was started."""
        return self.version.finalised_at or self.version.created_at

    @property
    def author(self) -> str:
        """Who registered it."""
        return self.names.get(self.version.author, "")

    @property
    def aliases(self) -> list[str]:
        """What it is called besides."""
        return alias_words(self.version.alias_names, self.releases)  # type: ignore[attr-defined]

    @property
    def tags(self) -> list[str]:
        """Its tags as people write them."""
        return [pair(key, value) for key, value in self.version.tags.items()]

    @property
    def tag_lines(self) -> str:
        """The tags as their form holds them: one on each line."""
        return "".join(f"{tag}\n" for tag in self.tags)

    @property
    def edit_tags(self) -> str:
        """What the button beside the tags says; '' where the reader may not change them."""
        if not self.may_edit:
            return ""
        return "Edit tags" if self.version.tags else "Add tags"

    @property
    def buttons_before(self) -> list[Button]:
        """What the reader can do with it, before its build."""
        return list(buttons_before(self))

    @property
    def build(self) -> Button:
        """What builds it."""
        text = "Build again" if self.builds else "Build"
        return Button(text, post=self.url("version-build"), tone="" if self.built else "primary")

    @property
    def accelerable(self) -> bool:
        """Whether a build may try the model's ONNX form."""
        return self.version.format in ACCELERABLE

    @property
    def buttons_after(self) -> list[Button]:
        """What the reader can do with it, after its build."""
        return list(buttons_after(self))

    @property
    def recalled(self) -> str:
        """Why no release of it runs, where it, or its newest Bento, is recalled."""
        return keeper().sentence([*self.recalls, *self.newest_recalls])

    @property
    def recalls(self) -> list[dict[str, str]]:
        """The recalls of the version and of its training data."""
        version: Any = self.version  # with the columns that version_of adds
        return list(version.recalls)

    @property
    def is_recalled(self) -> bool:
        """Whether the version itself is recalled, and not only data or a Bento of it."""
        return any(one["kind"] == RecallKind.VERSION for one in self.recalls)

    @property
    def withdrawn(self) -> version_recall.WithdrawnRecall | None:
        """The recall of it that was withdrawn last, unless one stands."""
        return version_recall.withdrawn(self.version, self.actor)

    @property
    def newest_recalls(self) -> list[dict[str, str]]:
        """The recalls of the Bento that would be asked for: of its newest."""
        return self.newest_built.recalls if self.built else []

    @property
    def banners(self) -> list[Banner]:
        """That it is recalled, and why the last build failed, with its log."""
        return list(banners(self))

    @property
    def draft(self) -> str:
        """Where one goes on with a draft; '' where the reader may not, or it is frozen."""
        return "" if self.is_frozen or not self.may_edit else self.url("version-draft")

    @property
    def run(self) -> str:
        """The run that trained it: its id, and where it is told of."""
        return code_facts(self.version.lineage).get("Run", "")

    @property
    def metrics(self) -> Evidence | None:
        """The newest metrics."""
        return next((e for e in self.facts if e.kind == "metrics"), None)

    @property
    def metric_rows(self) -> list[tuple[str, Any]]:
        """The newest metrics by name; one may be called ``items``, as a method of theirs is."""
        return list(self.metrics.data.items()) if self.metrics else []

    @property
    def metric_lines(self) -> str:
        """The newest metrics as their form holds them: one on each line."""
        return "".join(f"{name}: {json.dumps(value)}\n" for name, value in self.metric_rows)

    @property
    def metrics_by(self) -> str:
        """Who reported the newest metrics."""
        return self.names.get(self.metrics.created_by, "") if self.metrics else ""

    @property
    def signature_note(self) -> str:
        """How many columns and example rows there are."""
        return signature_note(self.version)

    @property
    def response(self) -> str:
        """What its service answers to the example row, else how it answers one."""
        return response(self.version)

    @property
    def is_narrow(self) -> bool:
        """Whether the columns are few enough to be shown at once."""
        return len((self.version.signature or {}).get("inputs", ())) < MANY

    @property
    def inputs(self) -> list[ModelColumn]:
        """What it is asked with."""
        return columns(self.version)[0]

    @property
    def outputs(self) -> list[ModelColumn]:
        """What it answers."""
        return columns(self.version)[1]

    @property
    def evidence(self) -> list[EvidenceLine]:
        """What is known of it, the newest first."""
        bento = self.newest_built.bento_digest if self.built else ""
        return evidence_lines(self.facts, bento, self.signers, self.names)

    @property
    def has_origin(self) -> bool:
        """Whether anything was said of where it comes from."""
        return bool(self.version.lineage or self.version.parameters)

    @property
    def parameters(self) -> list[tuple[str, Any]]:
        """What its training was set to, by name."""
        return list(self.version.parameters.items())

    @property
    def steps(self) -> list[ReadinessStep]:
        """What stands between it and serving; nothing once it was released."""
        facts = (self.files, self.is_frozen, self.metrics, self.built, self.releases)
        done = [bool(fact) for fact in facts]
        if all(done) or self.recalled:
            return []
        ways = Ways(self.draft, "report-metrics" if self.may_report else "")
        return steps(done, self.builds[0] if self.builds else None, self.untrue, ways)

    @property
    def smoke(self) -> str:
        """What its newest Bento's smoke test found wrong; '' where nothing."""
        return SMOKE_WORDS.get(self.newest_built.smoke, "") if self.built else ""

    @property
    def may_report(self) -> bool:
        """Whether the reader may report metrics of it here."""
        return self.is_frozen and self.may_edit

    @property
    def request_url(self) -> str:
        """Where its release is requested."""
        return f"{reverse('release-new')}?version={self.version.pk}"

    @property
    def untrue(self) -> Link | None:
        """What its newest Bento's smoke test found wrong; ``None`` where nothing."""
        if not self.smoke:
            return None
        return Link(f"The {self.smoke}: see why.", reverse("build", args=[self.newest_built.pk]))

    @property
    def signed(self) -> Evidence | None:
        """What the ``model.sig`` that came with it was found to be worth."""
        return measured_signature(self.facts)

    @property
    def signer(self) -> str:
        """By which key of the project it was signed; '' where no such key did."""
        signed = self.signed
        trusted = signed is not None and signed.data.get("result") == "trusted"
        return signer(signed.data, self.signers) if signed and trusted else ""

    @property
    def placet_signature(self) -> str:
        """Where the signature that Placet made over its files is taken away; '' for none."""
        if self.newest_built is None or not self.newest_built.is_signed:
            return ""
        return f"/api/v1/bentos/{self.newest_built.bento_digest}/model-signature"

    @property
    def ml_bom(self) -> str:
        """Where its list of components, data and training is taken away."""
        model = f"projects/{self.version.project.slug}/models/{self.version.model.name}"
        return f"/api/v1/{model}/versions/{self.version.number}/ml-bom"

    @property
    def needs(self) -> list[tuple[str, str]]:
        """The packages that it requires and the variables that it reads, each list titled once."""
        rows = (
            ("Requires", self.version.requirements),
            ("Environment variables", self.version.variables),
        )
        return [("" if index else title, x) for title, xs in rows for index, x in enumerate(xs)]


def banners(page: VersionPage) -> Iterator[Banner]:
    """Yield what must not be overlooked."""
    if page.recalled:
        yield version_recall.recall_banner(page.recalled, page.recall)
    newest = page.builds[0] if page.builds else None
    if newest is not None and newest.state == BuildState.FAILED:
        log = Link("Open log", reverse("build", args=[newest.pk]))
        why = f": {newest.error}" if newest.error else "."
        yield Banner("danger", f"The last build failed{why}", [log])


def buttons_before(page: VersionPage) -> Iterator[Button]:
    """Yield what compares the version, with what is live rather than with the newest other one,
    and what freezes it."""
    version: Any = page.version  # with the columns that version_of adds
    if other := version.other_live or version.other_newest:
        args = [version.project.slug, version.model.name]
        url = f"{reverse('compare', args=args)}?v={other}&v={version.number}"
        yield Button(f"Compare with {'live ' if version.other_live else ''}{other}", href=url)
    if page.draft:
        yield Button("Finalise", post=page.url("version-finalise"))
        yield Button("Continue editing", href=page.draft, tone="primary")


def buttons_after(page: VersionPage) -> Iterator[Button]:
    """Yield what recalls the version, and what asks for its release."""
    version = page.version
    if page.is_frozen and not page.is_recalled and page.may("recall.create"):
        name = f"{version.project.slug}/{version}"
        what = urlencode({"kind": "version", "what": name, "project": version.project.slug})
        yield Button("Recall…", href=f"{reverse('recall-new')}?{what}", tone="outline-danger")
    if page.built and not page.recalled and page.may("release.request"):
        yield Button(
            "Request release…", href=page.request_url, tone="" if page.smoke else "primary"
        )


def version_page(version: Any, actor: Actor) -> VersionPage:
    """Return everything the page of ``version`` shows."""
    evidence = sorted(newest_evidence(version, PAGE), key=was_called_safe)
    builds = builds_of(version, BUILDS)
    rows = version.releases.select_related("environment", "endpoint", "policy")
    releases = list(with_words(rows).order_by("-created_at")[:RELEASES])
    found = version_recall.first_told(version.recalls)
    things = (version, *builds, *releases, *evidence)
    lines, names = story(
        [*version_recall.seen_by(version, actor), *(one.pk for one in things)],
        actor,
        people={version.author, *(e.created_by for e in evidence), found["by"] if found else ""},
        place=Scope(version.project_id),
    )
    return VersionPage(
        version=version,
        actor=actor,
        names=names,
        facts=evidence,
        signers=signer_labels(version.project_id) if measured_signature(evidence) else {},
        files=list(version.files.order_by("path")[:FILES]),
        builds=builds,
        releases=releases,
        timeline=lines,
        recall=version_recall.told(found, names) if found else None,
        # render sanitises: what it returns is safe to show as it is
        card=mark_safe(render(version.card) if version.card else ""),  # noqa: S308
    )
