"""Asking for a release, and talking about it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db.models import Max

from apps.audit.actions import Recorder, record, seal
from apps.builds.models import Bento
from apps.builds.queries import last_build_failed
from apps.builds.rules import BuildState
from apps.governance.actions.advance import approve_if_passed, store_gates
from apps.governance.actions.locking import (
    lock_environment,
    lock_project,
    lock_release,
)
from apps.governance.actions.policies import current_policy
from apps.governance.actions.requests import sign_request
from apps.governance.actions.reviewing import Reviewers, ask
from apps.governance.errors import (
    AlreadyOpen,
    DoesNotFit,
    NoEndpoint,
    NoPolicy,
    NotBuilt,
    NotFinalised,
)
from apps.governance.events import RELEASE_COMMENTED, RELEASE_REQUESTED
from apps.governance.models import (
    OPEN_STATES,
    Comment,
    Environment,
    PolicyRevision,
    Release,
)
from apps.governance.plan import (
    DocumentFault,
    OutcomeMetric,
    OutputMetric,
    Plan,
    PrometheusMetric,
    Serving,
)
from apps.governance.queries.facts import evidence_to_pin
from apps.governance.queries.presets import chosen
from apps.identity.queries import authorize
from apps.registry.formats import PROJECTS
from apps.registry.models import Evidence, ModelVersion, VersionState
from apps.registry.rules.evidence import stored_faults
from apps.serving.actions import create_endpoint, name_faults, prefetch
from apps.serving.capacity import needed_mb
from apps.serving.hooks import refuse_recalled
from apps.serving.models import Endpoint, Target
from apps.serving.queries import secret_faults
from apps.serving.uses import refuse_unlisted, usable
from placet.kernel import clock, keystore
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet.kernel.texts import clean_text

T = TypeVar("T")


def request_release(
    *,
    version: ModelVersion,
    endpoint: Endpoint | str,
    environment: Environment | None = None,
    bento: Bento | None = None,
    plan: Mapping[str, Any] | None = None,
    serving: Mapping[str, Any] | None = None,
    target: Target | None = None,
    reason: str = "",
    review: Reviewers | None = None,
    actor: Actor,
) -> Release:
    """Ask to put a Bento of ``version`` behind ``endpoint``, and perhaps people to ``review`` that.

    ``endpoint`` is one, or its id, or its name in ``environment``: a new name makes a new endpoint
    on ``target``, or on the environment's only target. The newest Bento is taken unless ``bento``
    names one. ``plan`` may name one that is ready in the environment: ``{"preset": "canary"}``.
    Gates are evaluated at once; with an open policy the release is approved at once.
    """
    text = clean_text("reason", reason, limit=4000, empty=True)
    signer = keystore.signer("decision")
    with record(actor) as log:
        environment = _environment(endpoint, environment, version)
        lock_project(environment.project_id)
        environment = lock_environment(environment, actor, "release.request")
        release_plan, configuration = _documents(chosen(environment, plan), serving, endpoint)
        bento = _bento(version, bento, environment)
        _check_documents(bento, release_plan, configuration)
        _check_secrets(configuration, environment, actor)
        behind = _endpoint(endpoint, environment, target, actor)
        _check_capacity(behind.target, configuration)
        policy = _policy(environment)
        refuse_open(behind, bento)
        release = _new(behind, bento, policy, actor, release_plan, configuration, reason=text)
        sign_request(release, signer)
        release.save(force_insert=True)
        _follow(release, review, log)
        return release


def _follow(release: Release, review: Reviewers | None, log: Recorder) -> None:
    """Do what follows a request: its gates, its reviewers, and perhaps its approval."""
    results = store_gates(release)
    log.add(RELEASE_REQUESTED, release, data={"number": release.number})
    if review is not None:
        ask(release, review, log)
    prefetch(release.endpoint.target, bento=release.bento, holder=release.pk, actor=log.actor)
    approve_if_passed(release, results, log)


def _check_documents(bento: Bento, plan: Plan, serving: Serving) -> None:
    """Refuse what this Bento cannot keep, however well it is written."""
    _check_measured(bento, plan, serving)
    _check_declared(bento, serving)
    _check_server(bento, serving)


def _check_measured(bento: Bento, plan: Plan, serving: Serving) -> None:
    """Only services that Placet generates write predictions down: outcomes and outputs need it."""
    names = {
        getattr(m, "name", "output")
        for m in plan.metrics
        if isinstance(m, OutcomeMetric | OutputMetric)
    }
    if names and serving.capture is None:
        detail = f"must be given: {', '.join(sorted(names))} is counted of captured predictions"
        raise InvalidInput(errors=[FieldError("/serving/capture", detail)])
    if serving.capture is not None and bento.version.format in PROJECTS:
        detail = "A BentoML project has a service of its own, which captures nothing: leave it out"
        raise InvalidInput(errors=[FieldError("/serving/capture", detail)])
    asks = any(isinstance(metric, PrometheusMetric) for metric in plan.metrics)
    if asks and not config().prometheus_url:
        detail = "ask a Prometheus, and none is set up here (PLACET_PROMETHEUS_URL)"
        raise InvalidInput(errors=[FieldError("/plan/steps", detail)])


def _check_declared(bento: Bento, serving: Serving) -> None:
    """A release sets what its version says that it reads, and a short list of Placet's own."""
    if faults := serving.undeclared_faults(bento.version.variables):
        raise InvalidInput(errors=[FieldError(p, d) for p, d in faults])


def _check_server(bento: Bento, serving: Serving) -> None:
    """Slim is what a build wrote for it, in a service that Placet generates."""
    if serving.server is None or bento.slim:
        return
    detail = (
        "A BentoML project is served by BentoML: leave it out"
        if bento.version.format in PROJECTS
        else "This build answers otherwise without BentoML, as its log says then, or is from "
        "before there was slim: build the version again, or leave it out"
    )
    raise InvalidInput(errors=[FieldError("/serving/server", detail)])


def _check_secrets(serving: Serving, environment: Environment, actor: Actor) -> None:
    """Secrets are there, with a value, and whoever asks may use those of this environment."""
    if serving.secrets is None:
        return
    authorize(actor, "secret.use", environment, view="release.view")
    project = environment.project
    faults = secret_faults(project.pk, project.slug, environment.name, serving.document)
    if faults:
        raise InvalidInput(errors=[FieldError(f"/serving/secrets/{f}", d) for f, d in faults])


def _policy(environment: Environment) -> PolicyRevision:
    policy = current_policy(environment)
    if policy is None:
        raise NoPolicy
    return policy


def _new(
    endpoint: Endpoint,
    bento: Bento,
    policy: PolicyRevision,
    actor: Actor,
    plan: Plan,
    serving: Serving,
    *,
    reason: str,
) -> Release:
    return Release(
        project_id=endpoint.project_id,
        number=_next_number(endpoint.project_id),
        environment=policy.environment,
        endpoint=endpoint,
        version=bento.version,
        bento=bento,
        policy=policy,
        evidence=pin_evidence(bento),
        requested_by=actor.id,
        requester=actor.accountable,
        created_at=clock.now(),
        plan=plan.document,
        serving=serving.document,
        reason=reason,
    )


def _documents(
    plan: Mapping[str, Any] | None, serving: Mapping[str, Any] | None, endpoint: Endpoint | str
) -> tuple[Plan, Serving]:
    """Return both as they are read, or say at once all that is wrong with them and with the name of
    an endpoint."""
    is_named = isinstance(endpoint, str) and not _is_id(endpoint)
    errors = name_faults(str(endpoint)) if is_named else []
    parts = _read(Plan.read, plan, errors), _read(Serving.read, serving, errors)
    if errors or parts[0] is None or parts[1] is None:
        raise InvalidInput(errors=errors)
    return parts[0], parts[1]


def _read(
    read: Callable[[Any], T], given: Mapping[str, Any] | None, errors: list[FieldError]
) -> T | None:
    try:
        return read(given or {})
    except DocumentFault as fault:
        errors += [FieldError(pointer, detail) for pointer, detail in fault.faults]
        return None


def _is_id(endpoint: str) -> bool:
    """Tell whether an endpoint is named by its id: no name has an underscore."""
    return endpoint.startswith("end_")


def _environment(
    endpoint: Endpoint | str, environment: Environment | None, version: ModelVersion
) -> Environment:
    """Return where the release goes; project and environment of all that is named must agree."""
    if isinstance(endpoint, str) and _is_id(endpoint):
        endpoint = Endpoint.objects.filter(pk=endpoint).first() or ""
        if not endpoint:
            raise NotFound
    if isinstance(endpoint, Endpoint):
        of_endpoint = Environment.objects.filter(
            project=endpoint.project_id, name=endpoint.environment
        ).first()
        if of_endpoint is None or environment not in (None, of_endpoint):
            raise NotFound
        environment = of_endpoint
    if environment is None:
        raise InvalidInput(errors=[FieldError("/environment", "Name the environment")])
    if environment.project_id != version.project_id:
        raise NotFound
    return environment


def _bento(version: ModelVersion, bento: Bento | None, environment: Environment) -> Bento:
    row = ModelVersion.objects.select_related("model").get(pk=version.pk)
    if row.project_id != environment.project_id:
        raise NotFound
    if row.state != VersionState.FINALISED:
        raise NotFinalised
    # held until the release is in: nobody collects it meanwhile
    held = Bento.objects.select_for_update(of=("self",), no_key=True).select_related("build")
    built = held.filter(version=row, collected_at=None).order_by("-created_at")
    if bento is not None:
        built = built.filter(pk=bento.pk)
    chosen = built.first()
    if chosen is None or chosen.build.state != BuildState.SUCCEEDED:
        raise NotBuilt(_why_not_built(row))
    chosen.version = row
    refuse_recalled(chosen)
    return chosen


def _why_not_built(version: ModelVersion) -> str:
    """Say which build failed, where one did; '' where there was none."""
    failed = last_build_failed(version)
    if failed is None:
        return ""
    where = f" at its step {failed.step}" if failed.step else ""
    return (
        f"The build of {version} failed{where}: `placet build log {failed.pk}` and the page of the "
        "version say why. Build it again first"
    )


def _endpoint(
    endpoint: Endpoint | str, environment: Environment, target: Target | None, actor: Actor
) -> Endpoint:
    # held until the release is in: nobody deletes it meanwhile
    endpoints = (
        Endpoint.objects.kept()
        .select_for_update(of=("self",), no_key=True)
        .filter(project=environment.project_id, environment=environment.name)
        .select_related("target")
    )
    if isinstance(endpoint, Endpoint) or _is_id(endpoint):
        key = endpoint.pk if isinstance(endpoint, Endpoint) else endpoint
        row = endpoints.filter(pk=key).first()
        if row is None:
            raise NotFound
        _refuse_unlisted(row)
        return row
    row = endpoints.filter(name=endpoint).first()
    if row is not None:
        if target is not None and target.pk != row.target_id:
            detail = f"The endpoint stands on {row.target.name}"
            raise InvalidInput(errors=[FieldError("/target", detail)])
        _refuse_unlisted(row)
        return row
    return create_endpoint(
        environment.project,
        environment=environment.name,
        name=endpoint,
        target=target or _only_target(environment),
        actor=actor,
    )


def _refuse_unlisted(endpoint: Endpoint) -> None:
    """Nothing is held: whoever starts the rollout asks again, behind the endpoint's own lock."""
    refuse_unlisted(endpoint.target_id, endpoint.project_id, endpoint.environment, lock=False)


def _only_target(environment: Environment) -> Target:
    """Return the one target of the environment that lists it; of several, one must be named."""
    targets = list(usable(environment.targets.all(), environment.project_id, environment.name)[:2])
    targets = targets or list(environment.targets.all()[:1])  # refused with the reason why
    if not targets:
        raise NoEndpoint(f"{environment.name} has no target yet: an operator adds one")
    if len(targets) > 1:
        detail = f"{environment.name} has several targets: name the one for the new endpoint"
        choose = f"Choose a target: {environment.name} has several"
        raise NoEndpoint(choose, errors=[FieldError("/target", detail)])
    return targets[0]


def _check_capacity(target: Target, serving: Serving) -> None:
    needed = needed_mb(serving.document)
    if needed > target.capacity_mb:
        detail = f"{needed} MB are asked for, and {target.name} has {target.capacity_mb} MB"
        raise DoesNotFit(errors=[FieldError("/serving", detail)])


def refuse_open(endpoint: Endpoint, bento: Bento) -> None:
    """Raise :class:`AlreadyOpen` when a release brings ``bento`` there already."""
    other = Release.objects.filter(endpoint=endpoint, bento=bento, state__in=OPEN_STATES).first()
    if other is not None:
        state = other.get_state_display().lower()
        raise AlreadyOpen(
            f"Release {other.number} brings this build to this endpoint: it is {state}"
        )


def _next_number(project: str) -> int:
    last = Release.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return int(last or 0) + 1


def pin_evidence(bento: Bento) -> list[dict[str, str]]:
    """Return the newest evidence of each kind and source about the version and this very Bento."""
    newest = evidence_to_pin(bento.version_id, bento.digest)
    for row in newest:
        _refuse_unhashable(row, bento.version)
    pinned = [{"id": r.pk, "kind": r.kind, "digest": r.digest} for r in newest]
    return sorted(pinned, key=lambda p: (p["kind"], p["id"]))


def _refuse_unhashable(row: Evidence, version: ModelVersion) -> None:
    """Refuse evidence that nobody could hold against its digest."""
    for fault in stored_faults(row.data)[:1]:
        what = f"{version} has {row.kind} evidence ({row.pk}) with a value at {fault.pointer} that"
        detail = f"{what} has no canonical JSON form: report its {row.kind} again"
        raise InvalidInput(errors=[FieldError("/version", detail)])


def comment(release: Release, *, text: str, actor: Actor) -> Comment:
    """Say something about a release; the text is sealed under the author's key."""
    words = clean_text("text", text, limit=4000)
    with record(actor) as log:
        row = lock_release(release, actor, "release.comment")
        comment_row = Comment(
            release=row,
            project_id=row.project_id,
            author=actor.id,
            text_sealed=seal(words, person=actor.accountable),
        )
        comment_row.save(force_insert=True)
        log.add(RELEASE_COMMENTED, comment_row, subject=row.pk, data={"number": row.number})
        return comment_row
