"""Every list as a table: the rows that its page shows, all of them, for who may see them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from apps.assurance.models import RecallEffect
from apps.assurance.queries import visible_recalls
from apps.assurance.queries.retention import sees_retention, visible_archives, visible_holds
from apps.audit.queries import latest_checkpoint
from apps.audit.queries.witnesses import may_see
from apps.console.queries.models import model_rows, models_matching, projects_of, version_rows
from apps.console.queries.names import actor_names
from apps.console.queries.policies import policy_rows
from apps.console.queries.retention import hold_rows
from apps.console.queries.serving import endpoint_rows, endpoints_matching
from apps.console.queries.tables import Filters, Table, Values
from apps.console.queries.targets import named_targets, target_rows
from apps.console.queries.witnesses import log_rows, stamp_rows, witness_rows
from apps.governance.models import Decision, Release
from apps.governance.queries.duties import duties_of, visible_duties
from apps.governance.queries.glasses import glass_views, glasses
from apps.governance.queries.lists import releases
from apps.identity.models import ApiToken
from apps.identity.passkeys import public_half
from apps.identity.queries import own_tokens, visible, visible_passkeys
from apps.integrations.queries import standings, visible_streams
from apps.registry.models import SigningKey
from apps.registry.queries import versions
from apps.serving.queries import RevisionStatus
from placet.kernel.actor import Actor

BATCH = 500


def _in_batches(rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows by the hundreds, without holding them all in memory."""
    read = rows.iterator(chunk_size=BATCH)
    while batch := list(islice(read, BATCH)):
        yield batch


def _models(actor: Actor, given: Filters) -> Iterator[Values]:
    found = models_matching(actor, search=given.get("q", ""), project=given.get("project", ""))
    for batch in _in_batches(found.order_by("project__slug", "name")):
        names = actor_names({row.created_by for row in batch})
        for row in model_rows(batch):
            model = row.model
            live = [f"{r.environment.name} {r.version.number}" for r in row.live]
            yield (
                model.project.slug, model.name, model.description, row.versions, row.latest, live,
                names.get(model.created_by, ""), model.created_at, model.pk,
            )  # fmt: skip


def _versions(actor: Actor, given: Filters) -> Iterator[Values]:
    found = versions(actor)
    if project := given.get("project"):
        found = found.filter(project__slug=project)
    if model := given.get("model"):
        found = found.filter(model__name=model)
    for batch in _in_batches(found.order_by("pk")):
        for row in version_rows(batch):
            version = row.version
            yield (
                version.project.slug, version.model.name, version.number, version.state,
                version.format, row.author, version.artifact_digest, row.aliases,
                [release.environment.name for release in row.live],
                row.build.state if row.build else "", row.metrics, version.created_at,
                version.finalised_at, version.pk,
            )  # fmt: skip


def _releases(actor: Actor, given: Filters) -> Iterator[Values]:
    for batch in _in_batches(releases(actor, **given)):
        decided: dict[str, list[Decision]] = {row.pk: [] for row in batch}
        valid = Decision.objects.filter(release__in=batch, voided_reason="")
        for decision in valid.order_by("created_at"):
            decided[decision.release_id].append(decision)
        people = {d.person for ds in decided.values() for d in ds}
        names = actor_names(people | {row.requested_by for row in batch})
        for row in batch:
            yield _release(row, decided[row.pk], names)


def _release(row: Release, decided: list[Decision], names: Mapping[str, str]) -> Values:
    who = [f"{names.get(d.person, d.person)} ({d.role}): {d.verdict}" for d in decided]
    return (
        row.project.slug, row.number, row.state, row.version.model.name, row.version.number,
        row.bento_id, row.environment.name, row.endpoint.name, row.policy.number,
        names.get(row.requested_by, row.requested_by), who, row.reason, row.created_at,
        row.approved_at, row.live_at, row.ended_at, row.ended_reason, row.pk,
    )  # fmt: skip


def _endpoints(actor: Actor, given: Filters) -> Iterator[Values]:
    found = endpoints_matching(
        actor, project=given.get("project", ""), isolation=given.get("isolation", "")
    )
    for batch in _in_batches(found.order_by("project__slug", "environment", "name")):
        for row in endpoint_rows(batch):
            endpoint, release = row.status.endpoint, row.release
            yield (
                endpoint.project.slug, endpoint.environment, endpoint.name, row.status.url,
                endpoint.target.name, endpoint.state, row.status.health,
                str(release.version) if release else "", release.bento_id if release else "",
                release.live_at if release else None, row.approvers,
                release.number if release else None, row.status.isolation,
                _reached(row.status.revisions), endpoint.pk,
            )  # fmt: skip


def _reached(revisions: Sequence[RevisionStatus]) -> list[str]:
    """Return what replicas of them may reach, as it was approved."""
    said = [row.revision.serving.get("egress") for row in revisions]
    return list(
        dict.fromkeys(
            text
            for egress in said
            for text in (["the host's network"] if egress is None else egress or ["nothing"])
        )
    )


def _targets(actor: Actor, given: Filters) -> Iterator[Values]:
    for batch in _in_batches(named_targets(actor).order_by("name")):
        for row in target_rows(batch, actor, uses=None):
            target, node = row.target, row.node
            yield (
                target.name, target.driver, target.site, target.url, target.labels,
                target.capacity_mb, row.used_mb, node is not None and node.alive,
                node.last_seen_at if node else None, node.agent_version if node else "",
                row.present, row.network, row.owner, [str(use) for use in row.uses.shown],
                row.uses.others, target.created_at, target.pk,
            )  # fmt: skip


def _policies(actor: Actor, given: Filters) -> Iterator[Values]:
    wanted = given.get("project", "")
    projects = [p for p in projects_of(actor) if wanted in ("", p.slug)]
    for row in policy_rows(projects, actor):
        place, policy = row.environment, row.policy
        yield (
            place.project.slug, place.name, policy.number if policy else None,
            policy.digest if policy else "", row.gates, row.drafts, row.frozen,
            policy.published_at if policy else None, place.pk,
        )  # fmt: skip


def _duties(actor: Actor, given: Filters) -> Iterator[Values]:
    found = visible_duties(actor).order_by("project__slug", "position", "pk")
    for row in duties_of(found):
        place, fewest, hired = row.environment, row.fewest, row.hired
        yield (
            place.project.slug, place.name, row.policy, row.state, row.demanded,
            fewest.people if fewest else None, "; ".join(row.path),
            hired.people if hired else None, "; ".join(row.hired_path),
            row.break_glass.demanded if row.break_glass else None,
            "; ".join(row.break_glass.path) if row.break_glass else "", place.pk,
        )  # fmt: skip


def _tokens(actor: Actor, given: Filters) -> Iterator[Values]:
    tokens = own_tokens(actor).select_related("project", "person", "service_account")
    for token in tokens.order_by("-created_at").iterator(chunk_size=BATCH):
        yield _token(token)


def _token(token: ApiToken) -> Values:
    holder = token.service_account or token.person
    return (
        token.name, f"plc_{token.prefix}_…", str(holder), token.scopes,
        token.project.slug if token.project else "", token.created_at, token.last_used_at,
        token.expires_at, token.revoked_at, token.pk,
    )  # fmt: skip


def _signers(actor: Actor, given: Filters) -> Iterator[Values]:
    rows = visible(SigningKey.objects.all(), actor)
    if project := given.get("project"):
        rows = rows.filter(project__slug=project)
    for batch in _in_batches(rows.select_related("project").order_by("project__slug", "label")):
        names = actor_names({row.created_by for row in batch})
        for row in batch:
            yield (
                row.project.slug, row.label, row.fingerprint, names.get(row.created_by, ""),
                row.created_at, row.valid_until, row.revoked_at, row.pk,
            )  # fmt: skip


def _passkeys(actor: Actor, given: Filters) -> Iterator[Values]:
    for row in visible_passkeys(actor).order_by("-created_at").iterator(chunk_size=BATCH):
        voucher = row.vouched_by
        yield (
            str(row.person), row.name, row.state, public_half(row).fingerprint, row.rp_id,
            str(voucher.person) if voucher else "root key" if row.enrolled_at else "",
            row.created_at, row.enrolled_at, row.withdrawn_at, row.pk,
        )  # fmt: skip


def _streams(actor: Actor, given: Filters) -> Iterator[Values]:
    for batch in _in_batches(visible_streams(actor).order_by("name")):
        for found in standings(batch):
            row = found.stream
            yield (
                row.name, row.kind, row.url, row.project.slug if row.project else "", row.state,
                row.cursor, found.size, found.events, round(found.seconds, 3), row.delivered_at,
                row.error, row.created_at, row.pk,
            )  # fmt: skip


def _witnesses(actor: Actor, given: Filters) -> Iterator[Values]:
    if not may_see(actor):
        return
    head = latest_checkpoint()
    for row in witness_rows(actor, head):
        witness, state = row.witness, row.witness.state
        yield (
            "of this log", witness.name, witness.kind, witness.address, witness.key, row.word,
            state.size, state.seen_at, state.sentence, state.error, witness.created_at, witness.pk,
        )  # fmt: skip
    for stamp in stamp_rows(head):
        yield (
            "time of this log", stamp.state.authority, "rfc3161", "", "", stamp.word,
            stamp.state.size, stamp.state.at, stamp.state.sentence, stamp.state.error,
            stamp.state.created_at, stamp.state.authority,
        )  # fmt: skip
    for found in log_rows(actor):
        log, seen = found.log, found.head
        yield (
            "by this installation", log.origin, "log", "", log.key,
            "Showed two histories" if seen and seen.fork else "", seen.size if seen else 0,
            seen.cosigned_at if seen else None, "", "", log.created_at, log.pk,
        )  # fmt: skip


def _holds(actor: Actor, given: Filters) -> Iterator[Values]:
    if not sees_retention(actor):
        return
    for batch in _in_batches(visible_holds(actor).order_by("pk")):
        people = {person for row in batch for person in (row.placed_by, row.lifted_by) if person}
        for found in hold_rows(batch, actor_names(people), actor):
            row = found.hold
            yield (
                row.name, row.scope, row.subject, row.state, found.reason, found.placed_by,
                row.created_at, found.lifted_by, row.lifted_at, row.pk,
            )  # fmt: skip


def _archives(actor: Actor, given: Filters) -> Iterator[Values]:
    if not sees_retention(actor):
        return
    for row in visible_archives(actor).order_by("pk").iterator(chunk_size=BATCH):
        yield (
            row.first, row.last, row.count, row.size, row.file, row.bytes, row.older_than,
            row.created_at, row.pk,
        )  # fmt: skip


def _recalls(actor: Actor, given: Filters) -> Iterator[Values]:
    rows = RecallEffect.objects.filter(recall__in=visible_recalls(actor)).select_related(
        "recall", "project", "endpoint", "release", "target"
    )
    if project := given.get("project"):
        rows = rows.filter(project__slug=project)
    for row in rows.order_by("-pk").iterator(chunk_size=BATCH):
        recall = row.recall
        yield (
            recall.pk, recall.kind, recall.what, recall.state, recall.created_at,
            row.project.slug, row.endpoint.environment, row.endpoint.name, row.release.number,
            row.target.name, row.action, row.state, row.confirmed_at, row.receipt,
            row.contradiction, row.pk,
        )  # fmt: skip


def _glasses(actor: Actor, given: Filters) -> Iterator[Values]:
    for batch in _in_batches(glasses(actor, **given).order_by("-pk")):
        for view in glass_views(batch):
            row, release = view.glass, view.glass.release
            yield (
                row.project.slug, release.number, str(release.version), release.environment.name,
                row.state, [f"{s.name} ({s.role})" for s in view.signers], view.reason,
                row.opened_at, row.until, row.confirmed_at, row.used_at, row.ended_at,
                view.running, view.review, row.review_due_at, view.reviewer, row.finding,
                view.findings, row.pk,
            )  # fmt: skip


TABLES: dict[str, Table] = {
    "models": Table(
        ("project", "model", "description", "versions", "latest", "live", "created_by",
         "created_at", "id"),
        ("project", "q"), _models,
    ),
    "versions": Table(
        ("project", "model", "version", "state", "format", "author", "artifact_digest", "aliases",
         "live", "build", "metrics", "created_at", "finalised_at", "id"),
        ("project", "model"), _versions,
    ),
    "releases": Table(
        ("project", "release", "state", "model", "version", "bento", "environment", "endpoint",
         "policy", "requested_by", "decisions", "reason", "created_at", "approved_at", "live_at",
         "ended_at", "ended_reason", "id"),
        ("project", "state", "environment", "model", "endpoint"), _releases,
    ),
    "endpoints": Table(
        ("project", "environment", "endpoint", "url", "target", "state", "health", "runs", "bento",
         "live_at", "approved_by", "release", "isolation", "egress", "id"),
        ("project", "isolation"), _endpoints,
    ),
    "targets": Table(
        ("target", "driver", "site", "url", "labels", "capacity_mb", "promised_mb", "alive",
         "last_seen_at", "agent_version", "revisions", "network", "owner", "uses", "other_uses",
         "created_at", "id"),
        (), _targets,
    ),
    "policies": Table(
        ("project", "environment", "revision", "digest", "gates", "drafts", "frozen",
         "published_at", "id"),
        ("project",), _policies,
    ),
    "streams": Table(
        ("stream", "kind", "url", "project", "state", "next_event", "log_size", "lag_events",
         "lag_seconds", "delivered_at", "error", "created_at", "id"),
        (), _streams,
    ),
    "duties": Table(
        ("project", "environment", "revision", "state", "demanded", "people", "path",
         "with_hired", "hired_path", "break_glass", "break_glass_path", "id"),
        (), _duties,
    ),
    "recalls": Table(
        ("recall", "kind", "what", "state", "recalled_at", "project", "environment", "endpoint",
         "release", "target", "action", "confirmation", "confirmed_at", "receipt",
         "contradiction", "id"),
        ("project",), _recalls,
    ),
    "glasses": Table(
        ("project", "release", "version", "environment", "state", "signed_by", "reason",
         "opened_at", "until", "confirmed_at", "used_at", "ended_at", "running", "review",
         "review_due_at", "reviewer", "finding", "findings", "id"),
        ("project",), _glasses,
    ),
    "signers": Table(
        ("project", "label", "fingerprint", "trusted_by", "created_at", "valid_until",
         "revoked_at", "id"),
        ("project",), _signers,
    ),
    "tokens": Table(
        ("name", "token", "holder", "scopes", "project", "created_at", "last_used_at",
         "expires_at", "revoked_at", "id"),
        (), _tokens,
    ),
    "passkeys": Table(
        ("person", "passkey", "state", "fingerprint", "host", "vouched_by", "created_at",
         "enrolled_at", "withdrawn_at", "id"),
        (), _passkeys,
    ),
    "holds": Table(
        ("hold", "scope", "subject", "state", "reason", "placed_by", "created_at", "lifted_by",
         "lifted_at", "id"),
        (), _holds,
    ),
    "archives": Table(
        ("first", "last", "events", "size", "file", "bytes", "older_than", "created_at", "id"),
        (), _archives,
    ),
    "witnesses": Table(
        ("witnessed", "name", "kind", "address", "key", "state", "events", "seen_at", "fault",
         "error", "created_at", "id"),
        (), _witnesses,
    ),
}  # fmt: skip
