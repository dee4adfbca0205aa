"""Endpoints and targets as tables."""

from collections.abc import Iterator, Sequence
from typing import Any

from apps.assurance.queries.as_of import deployments, endpoints_ever, instant_of, with_stops
from apps.assurance.queries.stops import EndpointStop
from apps.console.queries.endpoints import endpoint_rows, endpoints_matching
from apps.console.queries.tables import Filters, ListTable, in_batches
from apps.console.queries.targets import named_targets, target_rows
from apps.console.templatetags.placet import percent
from apps.serving.queries import RevisionStatus
from apps.serving.rules import ISOLATION
from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339


def _endpoints(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    endpoints = endpoints_matching(
        actor, project=filters.get("project", ""), isolation=filters.get("isolation", "")
    )
    for batch in in_batches(endpoints.order_by("project__slug", "environment", "name")):
        for row in endpoint_rows(batch):
            yield row, row.status.endpoint, row.release


def _reached(revisions: Sequence[RevisionStatus]) -> list[str]:
    """Return what replicas of them may reach, as it was approved."""
    egresses = [row.revision.serving.get("egress") for row in revisions]
    return list(
        dict.fromkeys(
            text
            for egress in egresses
            for text in (["the host's network"] if egress is None else egress or ["nothing"])
        )
    )


def _targets(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    for batch in in_batches(named_targets(actor).order_by("name")):
        for row in target_rows(batch, actor, uses=None):
            yield row, row.target, row.node


def _recall_of(stop: EndpointStop | None) -> str:
    """Say which recall stopped an endpoint, '' where none did."""
    if stop is None or stop.recall is None:
        return ""
    if (told := stop.told) is None:
        return "a recall that is not visible to you"
    lifted = f", withdrawn at {told['withdrawn_at']}" if told["withdrawn_at"] else ""
    return f"{told['id']} (by {told['by_name']}{lifted})"


def _deployments(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    at = instant_of(filters.get("at", ""))
    place = {name: filters.get(name, "") for name in ("project", "environment")}
    endpoints = endpoints_ever(actor, **place)
    for batch in in_batches(endpoints.order_by("project__slug", "environment", "name", "pk")):
        for row in with_stops(deployments(batch, at), actor):
            if not row.revisions:
                yield row, None, None, None
            for revision in row.revisions:
                yield row, revision, revision.service.period, revision.approved


ENDPOINTS = ListTable(
    {
        "project": lambda row, endpoint, release: endpoint.project.slug,
        "environment": lambda row, endpoint, release: endpoint.environment,
        "endpoint": lambda row, endpoint, release: endpoint.name,
        "url": lambda row, endpoint, release: row.status.url,
        "target": lambda row, endpoint, release: endpoint.target.name,
        "state": lambda row, endpoint, release: endpoint.state,
        "health": lambda row, endpoint, release: row.status.health,
        "troubles": lambda row, endpoint, release: [str(one) for one in row.status.troubles],
        "runs": lambda row, endpoint, release: str(release.version) if release else "",
        "bento": lambda row, endpoint, release: release.bento_id if release else "",
        "live_at": lambda row, endpoint, release: release and release.live_at,
        "shares": lambda row, endpoint, release: [
            f"{part.release.version} {percent(part.weight)}" for part in row.parts if part.weight
        ],
        "approved_by": lambda row, endpoint, release: row.approvers,
        "release": lambda row, endpoint, release: release and release.number,
        "isolation": lambda row, endpoint, release: row.status.isolation,
        "egress": lambda row, endpoint, release: _reached(row.status.revisions),
        "id": lambda row, endpoint, release: endpoint.pk,
    },
    ("project", "isolation"),
    _endpoints,
    "endpoint.view",
    {"isolation": tuple(ISOLATION)},
)
TARGETS = ListTable(
    {
        "target": lambda row, target, node: target.name,
        "driver": lambda row, target, node: target.driver,
        "site": lambda row, target, node: target.site,
        "url": lambda row, target, node: target.url,
        "labels": lambda row, target, node: target.labels,
        "capacity_mb": lambda row, target, node: target.capacity_mb,
        "promised_mb": lambda row, target, node: row.used_mb,
        "alive": lambda row, target, node: node is not None and node.alive,
        "unreached": lambda row, target, node: node.unreached if node else "",
        "last_seen_at": lambda row, target, node: node and node.last_seen_at,
        "agent_version": lambda row, target, node: node.agent_version if node else "",
        "revisions": lambda row, target, node: row.present,
        "network": lambda row, target, node: row.network,
        "owner": lambda row, target, node: row.owner,
        "uses": lambda row, target, node: [str(use) for use in row.uses.shown],
        "other_uses": lambda row, target, node: row.uses.others,
        "created_at": lambda row, target, node: target.created_at,
        "id": lambda row, target, node: target.pk,
    },
    (),
    _targets,
)
DEPLOYMENTS = ListTable(
    {
        "at": lambda row, revision, period, approved: row.at,
        "project": lambda row, revision, period, approved: row.endpoint.project.slug,
        "environment": lambda row, revision, period, approved: row.endpoint.environment,
        "endpoint": lambda row, revision, period, approved: row.endpoint.name,
        "state": lambda row, revision, period, approved: row.state,
        "revision": lambda row, revision, period, approved: revision and revision.number,
        "percent": lambda row, revision, period, approved: period and period.share.weight / 100,
        "header": lambda row, revision, period, approved: period and period.share.header,
        "copies_percent": lambda row, revision, period, approved: (
            period and period.share.copies / 100
        ),
        "model": lambda row, revision, period, approved: approved and approved.model,
        "version": lambda row, revision, period, approved: approved and approved.version,
        "bento": lambda row, revision, period, approved: revision and revision.bento,
        "since": lambda row, revision, period, approved: period and period.begin.at,
        "until": lambda row, revision, period, approved: period and period.end and period.end.at,
        "started": lambda row, revision, period, approved: period and period.started,
        "since_event": lambda row, revision, period, approved: period and period.begin.index,
        "until_event": lambda row, revision, period, approved: (
            period and period.end and period.end.index
        ),
        "release": lambda row, revision, period, approved: approved and approved.number,
        "approved_by": lambda row, revision, period, approved: [
            f"{one.name} ({one.role}) at {rfc3339(one.at)}"
            + (", recalled since" if one.recalled_since else "")
            for one in (approved.approvals if approved else ())
        ],
        "policy": lambda row, revision, period, approved: approved and approved.policy,
        "policy_digest": lambda row, revision, period, approved: (
            approved and approved.policy_digest
        ),
        "receipts": lambda row, revision, period, approved: [
            one.id for one in (revision.receipts if revision else ())
        ],
        "stopped_at": lambda row, revision, period, approved: row.stop and row.stop.moment.at,
        "stopped_by": lambda row, revision, period, approved: row.stop and row.stop.name,
        "stopped_event": lambda row, revision, period, approved: row.stop and row.stop.moment.index,
        "stopped_by_recall": lambda row, revision, period, approved: _recall_of(row.stop),
        "faults": lambda row, revision, period, approved: row.faults,
        "id": lambda row, revision, period, approved: row.endpoint.pk,
    },
    ("at", "project", "environment"),
    _deployments,
    "endpoint.view",
    parse=lambda filters: instant_of(filters.get("at", "")),
)
TABLES = {"endpoints": ENDPOINTS, "targets": TARGETS, "deployments": DEPLOYMENTS}
