"""Gathers what gates look at: the same few queries for one release and for many."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, OuterRef, QuerySet, When
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import JSONObject

from apps.builds.models import Bento
from apps.governance import break_glass, gates, rules
from apps.governance.gates.facts import (
    BuildFact,
    DecisionFact,
    EvidenceFact,
    Facts,
    FreezeFact,
    GateResult,
    LiveFact,
    SignerFact,
    SoakFact,
)
from apps.governance.models import BreakGlass, Decision, Freeze, Release
from apps.governance.rules import BreakGlassState, ReleaseState
from apps.registry.models import Evidence, EvidenceSource, ModelVersion, SigningKey
from apps.registry.rules.evidence import MEASURED_KINDS, card_data, evidence_digest
from apps.serving.hooks import keeper
from apps.serving.models import Node
from placet.kernel import clock
from placet_verify.errors import Malformed

Path = tuple[str, str, str]  # project, environment, name of the endpoint
LIVE_FIRST = Case(When(state=ReleaseState.LIVE, then=0), default=1)
TO_COMPARE = ("endpoint", "version__model", "bento__runtime", "policy")
WITH_ALL = ("environment", "endpoint", "version__model", "bento__build", "policy")


def evaluate(release: Release, now: datetime | None = None) -> list[GateResult]:
    """Answer every gate of the release's policy as things stand now (four queries)."""
    return evaluate_many([release], now)[release.pk]


def evaluate_many(
    releases: Sequence[Release], now: datetime | None = None
) -> dict[str, list[GateResult]]:
    """Answer the gates of many releases; each should come with ``WITH_ALL`` selected."""
    facts = gather(releases, now or clock.now())
    return {r.pk: answers(r, facts[r.pk]) for r in releases}


def answers(release: Release, facts: Facts) -> list[GateResult]:
    """Answer every gate of the release's policy; a broken glass steps over what it says."""
    document = release.policy.document
    return break_glass.skipped(gates.evaluate_all(document["gates"], facts), document, facts)


def foreseen(release: Release) -> list[GateResult]:
    """Answer every gate as if people had broken the glass for ``release``."""
    now = clock.now()
    return answers(release, replace(gather([release], now)[release.pk], broken_glass=True))


def had_decided(release: Release, facts: Facts, decision: DecisionFact) -> list[GateResult]:
    """Answer every gate as if somebody had made ``decision``, and no other one before."""
    others = [one for one in facts.decisions if one.person != decision.person]
    return answers(release, replace(facts, decisions=[*others, decision]))


def had_lifted(release: Release, facts: Facts, person: str) -> list[GateResult]:
    """Answer every gate as if ``person`` had made no decision."""
    others = [one for one in facts.decisions if one.person != person]
    return answers(release, replace(facts, decisions=others))


def gather(
    releases: Sequence[Release], now: datetime, *, served: dict[Path, Release] | None = None
) -> dict[str, Facts]:
    """Return the facts of each release by id, in three queries (two when ``served`` is at hand)."""
    beside = _beside(releases, now)
    served = last_served(releases) if served is None else served
    evidence = _evidence([*releases, *served.values()])
    return {
        r.pk: _facts(r, served.get(path(r)), beside.get(r.pk, ALONE), evidence, now)
        for r in releases
    }


def evidence_facts(facts: Facts, live: Release | None) -> list[EvidenceFact] | None:
    """Return the evidence of what is live, ``None`` when there is nothing to compare with."""
    return list(facts.live.evidence) if live is not None and facts.live is not None else None


def path(release: Release) -> Path:
    """Return what clients call: another endpoint of the name has the path that one before had."""
    return release.project_id, release.environment_id, release.endpoint.name


def last_served(releases: Sequence[Release]) -> dict[Path, Release]:
    """Return what is live at the paths of ``releases``, or was there last, whatever ended it but a
    recall, and whether its endpoint was deleted since; each says whether the review of its
    break-glass did not find that justified (``unjustified``). One query."""
    paths = {path(r) for r in releases}
    projects, environments, names = ({p[n] for p in paths} for n in range(3))
    path_fields = ("project_id", "environment_id", "endpoint__name")
    last = (
        Release.objects.filter(
            project__in=projects,
            environment__in=environments,
            endpoint__name__in=names,
            live_at__isnull=False,
        )
        .exclude(state=ReleaseState.REVOKED)
        .alias(named=keeper().listed("bento"))
        .filter(named=[])  # of what had ended before the recall
        .order_by(*path_fields, LIVE_FIRST, "-live_at", "-pk")
        .distinct(*path_fields)
    )
    rows = Release.objects.filter(pk__in=last.values("pk")).select_related(*TO_COMPARE)
    rows = rows.annotate(unjustified=Exists(_unjustified()))
    return {path(r): r for r in rows if path(r) in paths}


def _unjustified() -> QuerySet[BreakGlass]:
    """Return the break-glasses that a release, a row, was started by and whose review did not find
    them justified."""
    found = BreakGlass.objects.filter(release=OuterRef("pk"), finding="not_justified")
    return found.exclude(used_at=None)


ALONE: Mapping[str, Any] = defaultdict(list)  # beside a release that is not stored
SAID = ("person", "role", "verdict", "passkey", "standing")  # of a decision


def _beside(releases: Sequence[Release], now: datetime) -> dict[str, Mapping[str, Any]]:
    """Return what counts beside each release, by the name in :func:`_columns`, in one query."""
    rows = Release.objects.filter(pk__in=[r.pk for r in releases])
    return {row["pk"]: row for row in rows.values("pk", **_columns(now))}


def _columns(now: datetime) -> dict[str, ArraySubquery]:
    """Return one column of that query for each kind of row, each an array."""
    return {
        "decided": ArraySubquery(_decisions()),
        "frozen": ArraySubquery(freezes_of("environment")),
        "soaked": ArraySubquery(soaks_of("bento")),
        "may_sign": ArraySubquery(_signers()),
        "broken_glass": ArraySubquery(_in_force(now)),
        "nodes": ArraySubquery(_nodes()),
        "recalled_by": keeper().listed("bento"),
    }


def _decisions() -> QuerySet[Decision, Any]:
    """Return the decisions that are not voided and are about the request that stands now."""
    return (
        Decision.objects.filter(
            release=OuterRef("pk"), voided_reason="", statement_digest=OuterRef("request_digest")
        )
        .annotate(passkey=Case(When(assertion__isnull=True, then=False), default=True))
        .order_by("created_at", "pk")
        .values(json=JSONObject(**{name: name for name in SAID}))
    )


def freezes_of(environment: str) -> QuerySet[Freeze, Any]:
    """Return the freezes of an environment, a column of rows, that have not been lifted."""
    freezes = Freeze.objects.filter(environment=OuterRef(environment), lifted_at__isnull=True)
    return freezes.values(json=JSONObject(id="id", starts_at="starts_at", ends_at="ends_at"))


def _signers() -> QuerySet[SigningKey, Any]:
    """Return the model signing keys of the project, revoked ones too."""
    return (
        SigningKey.objects.filter(project=OuterRef("project"))
        .annotate(revoked=Case(When(revoked_at__isnull=True, then=False), default=True))
        .values(json=JSONObject(fingerprint="fingerprint", label="label", revoked="revoked"))
    )


def soaks_of(bento: str) -> QuerySet[Release, Any]:
    """Return when a Bento, a column of rows that have a project, was live, and what became of its
    endpoint. A stretch that ended in a rollback soaked nothing."""
    releases = Release.objects.filter(
        project=OuterRef("project"),
        bento=OuterRef(bento),
        live_at__isnull=False,
        state__in=(ReleaseState.LIVE, ReleaseState.SUPERSEDED, ReleaseState.RETIRED),
    )
    times = {name: name for name in ("live_at", "ended_at")}
    endpoint_fields = {"endpoint": "endpoint__state", "stopped_at": "endpoint__stopped_at"}
    return releases.values(
        json=JSONObject(environment="environment__name", release="id", **times, **endpoint_fields)
    )


def _nodes() -> QuerySet[Node, Any]:
    """Return what the nodes of the target that have reported say of its network."""
    nodes = Node.objects.filter(target=OuterRef("endpoint__target"), last_seen_at__isnull=False)
    fields = {name: KeyTransform(name, "platform") for name in ("network", "features")}
    return nodes.values(json=JSONObject(**fields))


def _in_force(now: datetime) -> QuerySet[BreakGlass, Any]:
    """Return the break-glasses that people confirmed for the request that stands now."""
    return BreakGlass.objects.filter(
        release=OuterRef("pk"),
        state=BreakGlassState.CONFIRMED,
        until__gt=now,
        statement_digest=OuterRef("request_digest"),
    ).values("pk")


def evidence_to_pin(version: str, bento: str) -> list[Evidence]:
    """Return the newest evidence of each kind and source about a version and this very Bento: what
    a release asked for now would pin (one query)."""
    rows = Evidence.objects.filter(version=version, bento_digest__in=("", bento))
    found: dict[tuple[str, str], Evidence] = {}
    for row in sorted(rows.order_by("-created_at", "-pk"), key=was_called_safe):
        if row.kind not in MEASURED_KINDS or row.source == EvidenceSource.MEASURED:
            found.setdefault((row.kind, row.source), row)
    return [row for row in found.values() if not _says_no_card(row)]


def _says_no_card(row: Evidence) -> bool:
    """Tell whether Placet found the card emptied: what stood in it before counts no longer."""
    return row.kind == "model_card" and row.data == card_data("")


def was_called_safe(row: Evidence) -> bool:
    """Tell whether a release before 0.2 called files safe, without a look at what loads them: any
    other scan says more, and this is worth no more than ``code-carrying`` until they are built
    anew."""
    return row.kind == "scan" and not row.bento_digest and row.data.get("verdict") == "safe"


def _evidence(releases: Sequence[Release]) -> dict[str, list[EvidenceFact]]:
    """Return the pinned evidence of each release; a row that no longer has its digest is gone."""
    rows = pinned_evidence(releases)
    evidence = {pk: evidence_fact(row) for pk, row in rows.items()}
    return {r.pk: [evidence[p["id"]] for p in r.evidence if p["id"] in evidence] for r in releases}


def pinned_evidence(releases: Sequence[Release]) -> dict[str, Evidence]:
    """Return by its id what releases pinned, where it still has its digest (one query)."""
    pinned = {p["id"]: p["digest"] for r in releases for p in r.evidence}
    rows = Evidence.objects.filter(pk__in=pinned)
    return {row.pk: row for row in rows if pinned[row.pk] == _digest(row)}


def evidence_fact(row: Evidence) -> EvidenceFact:
    """Return a row as gates look at it."""
    data: dict[str, Any] = row.data
    if was_called_safe(row):
        data = data | {"verdict": "code-carrying", "what_loads_them": "not looked at"}
    return EvidenceFact(row.kind, row.source, data, row.digest, row.created_at)


def _digest(row: Evidence) -> str:
    """Return the digest of a row as it is, '' when it holds what nobody can have hashed."""
    try:
        return evidence_digest(
            row.version_id, row.kind, row.source, row.bento_digest, row.data, row.created_by
        )
    except Malformed:
        return ""


def _facts(
    release: Release,
    live: Release | None,
    beside: Mapping[str, Any],
    evidence: dict[str, list[EvidenceFact]],
    now: datetime,
) -> Facts:
    """Return what the gates of ``release`` look at."""
    return Facts(
        now=now,
        bento_digest=release.bento_id,
        environment=release.environment.name,
        requester=release.requester,
        author=release.version.author,
        version=describe(release.version),
        signature=release.version.signature,
        serving=release.serving,
        plan=release.plan,
        build=build_fact(release.bento),
        evidence=evidence[release.pk],
        live=_live(live, evidence) if live is not None else None,
        decisions=[DecisionFact(**decision) for decision in beside["decided"]],
        freezes=freeze_facts(beside["frozen"]),
        signers=[SignerFact(**signer) for signer in beside["may_sign"]],
        soaks=soaks_by_environment(beside["soaked"]),
        broken_glass=bool(beside["broken_glass"]),
        network=_network(beside["nodes"]),
        recalled=keeper().sentence(beside["recalled_by"]),
    )


def freeze_facts(rows: Sequence[Mapping[str, Any]]) -> list[FreezeFact]:
    """Return what :func:`freezes_of` read as the gates look at it."""
    return [FreezeFact(f["id"], _time(f["starts_at"]), _maybe(f["ends_at"])) for f in rows]


def soaks_by_environment(rows: list[dict[str, Any]]) -> dict[str, list[SoakFact]]:
    """Return the stretches by environment, each until its release or its endpoint ended."""
    soaks: dict[str, list[SoakFact]] = {}
    for row in rows:
        began, ended = _time(row["live_at"]), _maybe(row["ended_at"])
        until = rules.served_until(began, ended, row["endpoint"], _maybe(row["stopped_at"]))
        soaks.setdefault(row["environment"], []).append(SoakFact(row["release"], began, until))
    return soaks


def describe(version: ModelVersion) -> dict[str, Any]:
    """Return what an expression sees of a version; only what is frozen with it."""
    return {
        "name": str(version),
        "number": version.number,
        "format": version.format,
        "python_version": version.python_version,
        "parameters": version.parameters,
        "lineage": version.lineage,
        "requirements": version.requirements,
        "variables": version.variables,
    }


def _network(nodes: list[dict[str, Any]]) -> str | None:
    """Return what every node of the target gives; the weakest word of several, ``None`` of none.

    ``''`` is an agent from before there was such a thing.
    """
    words = {(n["network"] or "") if "apart" in (n["features"] or ()) else "" for n in nodes}
    return None if not words else "own" if words == {"own"} else min(words - {"own"})


def build_fact(bento: Bento) -> BuildFact:
    """Return the build that made a Bento."""
    build = bento.build
    return BuildFact(build.state, build.isolation, build.bento_digest)


def _live(live: Release, evidence: dict[str, list[EvidenceFact]]) -> LiveFact:
    version = live.version
    known, ended = evidence[live.pk], live.state != ReleaseState.LIVE
    return LiveFact(live.pk, describe(version), version.signature, known, ended)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
