"""Rows as the JSON values that serving's routes answer with."""

from typing import Any

from apps.serving.models import Endpoint, Target, TargetUse
from apps.serving.queries import EndpointStatus, RevisionStatus, node_of, node_status, told
from apps.serving.rules import serving_config
from placet.kernel.actor import Actor
from placet.kernel.api.views import etag
from placet.kernel.clock import rfc3339


def target_tag(target: Target) -> str:
    """Return the ETag of a target; what its node reports does not change it."""
    return etag(target.pk, target.revision)


def endpoint_tag(endpoint: Endpoint) -> str:
    """Return the ETag of an endpoint."""
    return etag(endpoint.pk, endpoint.generation)


def use_tag(use: TargetUse) -> str:
    """Return the ETag of an entry of a target's list; it never changes."""
    return etag(use.pk, 1)


def use_body(use: Any) -> dict[str, Any]:
    """Return an entry of a target's list, as ``uses_of`` reads it."""
    return {
        "id": use.pk,
        "project": use.project.slug,
        "environment": use.environment,
        "note": use.note,
        "created_by": use.created_by,
        "created_at": rfc3339(use.created_at),
    }


def target_body(target: Target, actor: Actor) -> dict[str, Any]:
    """Return a target with what ``actor`` is told of its node."""
    found = node_of(target)
    node = told(node_status(found), actor) if found else None
    return {
        "id": target.pk,
        "name": target.name,
        "driver": target.driver,
        "site": target.site,
        "labels": target.labels,
        "capacity_mb": target.capacity_mb,
        "url": target.url,
        "on_expired": target.on_expired,
        "owner": target.owner,
        "created_at": rfc3339(target.created_at),
        "node": {
            "id": node.id,
            "alive": node.alive,
            "last_seen_at": rfc3339(node.last_seen_at) if node.last_seen_at else None,
            "agent_version": node.agent_version,
            "platform": node.platform,
            "problems": list(node.errors),
            "fault": node.fault,
        }
        if node
        else None,
    }


def revision_body(row: RevisionStatus) -> dict[str, Any]:
    """Return a revision and what its node says of it."""
    revision = row.revision
    return {
        "id": revision.pk,
        "number": revision.number,
        "state": revision.state,
        "weight": revision.weight,
        "release": revision.release,
        "bento_digest": revision.bento_id,
        "version": str(revision.bento.version),
        "replicas": revision.replicas,
        "max_replicas": serving_config(revision.serving).max_replicas,
        "memory_mb": revision.memory_mb,
        "created_at": rfc3339(revision.created_at),
        "live_at": rfc3339(revision.live_at) if revision.live_at else None,
        "ended_at": rfc3339(revision.ended_at) if revision.ended_at else None,
        "phase": row.phase,
        "ready_replicas": row.ready_replicas,
        "applied_weight": row.weight,
        "unit": revision.serving.get("unit"),
        "salt": revision.salt,
        "detail": row.detail,
        "egress": revision.serving.get("egress"),
        "isolation": row.isolation,
        "egress_counts": list(row.egress),
    }


def endpoint_body(row: EndpointStatus) -> dict[str, Any]:
    """Return an endpoint and what is present behind it."""
    endpoint, live = row.endpoint, row.live
    return {
        "id": endpoint.pk,
        "project": endpoint.project.slug,
        "environment": endpoint.environment,
        "name": endpoint.name,
        "target": endpoint.target.name,
        "url": row.url,
        "no_address": row.no_address,
        "state": endpoint.state,
        "health": row.health,
        "isolation": row.isolation,
        "api_key_required": endpoint.api_key_required,
        "created_at": rfc3339(endpoint.created_at),
        "live_revision": live.revision.pk if live else None,
        "revisions": [revision_body(revision) for revision in row.revisions],
    }
