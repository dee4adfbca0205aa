"""How the node of a target is, as it says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.serving.models import Node, Target
from apps.serving.rules import ALIVE_SECONDS
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_protocol.report import NOT_SEEN, ProxyReport, why_unreached

WITHHELD = "The node says more to those who see every target"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How the node of a target is."""

    id: str
    alive: bool
    last_seen_at: datetime | None
    agent_version: str
    platform: Mapping[str, Any]
    errors: tuple[Mapping[str, str], ...]
    fault: str
    unreached: str = ""  # why nobody reaches what it serves; '' also while it is silent
    unreached_since: datetime | None = None

    @property
    def state(self) -> str:
        """``silent`` without news, ``unreached`` where nobody gets an answer, else ``alive``."""
        if not self.alive:
            return "silent"
        return "unreached" if self.unreached else "alive"


def node_of(target: Target) -> Node | None:
    """Return the node that joined ``target``, if any, without a query when it was fetched."""
    try:
        return target.node
    except Node.DoesNotExist:
        return None


def node_status(node: Node, at: datetime | None = None) -> NodeStatus:
    """Return how ``node`` is."""
    heard = node.heard_at
    alive = heard is not None and ((at or now()) - heard).total_seconds() < ALIVE_SECONDS
    proxy: ProxyReport = node.report.get("proxy", NOT_SEEN)
    since = datetime.fromisoformat(proxy["since"]) if proxy["since"] else heard
    since = min(since, heard) if since and heard else None  # the node's own clock may be ahead
    unreached = why_unreached(proxy, node.platform.get("port", 0)) if alive else ""
    return NodeStatus(
        id=node.pk,
        alive=alive,
        last_seen_at=node.last_seen_at,
        agent_version=node.agent_version,
        platform=node.platform,
        errors=(*node.left_out, *node.report.get("errors", [])),
        fault=node.fault,
        unreached=unreached,
        unreached_since=since if unreached else None,
    )


def redact_errors(node: NodeStatus, actor: Actor) -> NodeStatus:
    """Return what ``actor`` is told of ``node``. What a node says went wrong may be about any
    project that is served there: its words are for who may view targets everywhere."""
    if actor.can("target.view"):
        return node
    codes = dict.fromkeys(row["code"] for row in node.errors)
    return replace(node, errors=tuple({"code": code, "detail": WITHHELD} for code in codes))


def reported_revisions(node: Node | None) -> dict[str, Mapping[str, Any]]:
    """Return the last reported rows by revision id."""
    rows: Iterable[Mapping[str, Any]] = node.report.get("revisions", []) if node else []
    return {row["id"]: row for row in rows}
