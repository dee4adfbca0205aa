"""The driver of nodes. It never talks to a node: the node comes and asks."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum

from apps.builds.models import Bento
from apps.serving import desired
from apps.serving.drivers.base import Observation, RevisionObservation, StateGeneration
from apps.serving.models import Node, Revision, Target
from apps.serving.replicas import MOST_REPLICAS
from apps.serving.rules import ALIVE_SECONDS, PRESENT, EndpointState, ServingConfig
from placet.kernel.clock import now
from placet_protocol.bounded import MAX_ROWS
from placet_protocol.report import MAX_REPLICAS

LACKS = {
    "unit": "splits per request only, and not by unit",
    "header_route": "cannot lead testers by a header",
    "mirror": "cannot copy requests",
    "capture": "cannot capture predictions",
    "guard": "cannot apply the guard of the plan",
    "apart": "cannot keep a replica from the network and its neighbours",
    "slim": "cannot serve without BentoML",
    "limits": "cannot hold requests to limits",
    "scaling": "cannot scale by load",
    "zero": "cannot wake what sleeps",
    "secrets": "cannot give secrets to replicas",
}

LACKS_KEY = "upgrade its agent, or wait for its next report"
BARE = "cannot keep apart what runs on it (bubblewrap does not work there), and runs nothing"


class NodeDriver:
    """See :class:`apps.serving.drivers.base.Driver`."""

    def validate(
        self,
        target: Target,
        bento: Bento,
        serving: ServingConfig,
        needs: Collection[str] = (),
    ) -> list[str]:
        """Ask the last report: joined, alive, the right Python, an agent that can do it."""
        node = Node.objects.filter(target=target).first()
        if node is None:
            return [f"No node has joined {target.name} yet"]
        problems = beyond(target, serving)
        if not is_alive(node.heard_at, now()):
            problems.append(f"The node of {target.name} has not been heard of lately")
        wanted, versions = bento.runtime.python_version, pythons(node.platform)
        if short_version(wanted) not in versions:
            has = ", ".join(versions) or "none"
            problems.append(f"The node has no Python {short_version(wanted)} (it has {has})")
        named = ("unit", "capture", "limits", "scaling", "secrets")
        serving_needs = {name for name in named if getattr(serving, name)}
        if serving.egress is not None:
            serving_needs.add("apart")
        if serving.slim:
            serving_needs.add("slim")
        if serving.scaling and serving.scaling.sleeps:
            serving_needs.add("zero")
        if node.platform.get("isolation") == "none":
            problems.append(f"The node of {target.name} {BARE}")
            # which its agent does not say then, whatever its version
            serving_needs.discard("apart")
        if serving.secrets and not node.platform.get("secret_key"):
            serving_needs.discard("secrets")
            problems.append(f"The node of {target.name} has no key for secrets: {LACKS_KEY}")
        missing = {*needs, *serving_needs} - set(features(node.platform))
        problems += [f"The node's agent {LACKS[name]}: upgrade it" for name in sorted(missing)]
        return problems

    def observe(self, target: Target) -> Observation:
        """Read the last verified report."""
        node = Node.objects.filter(target=target).first()
        if node is None:
            return Observation(alive=False, seen_at=None, applied=StateGeneration(0, 0))
        return observation(node, now())

    def apply(self, target: Target) -> StateGeneration:
        """Sign what is desired; the node's long poll returns at once."""
        return desired.sign_state(target.pk)

    def remove(self, revision: Revision) -> StateGeneration:
        """A revision that ended is not in the state any more: sign it."""
        return desired.sign_state(revision.endpoint.target_id)


def beyond(target: Target, serving: ServingConfig) -> list[str]:
    """Return what one more revision would be too much for, whatever memory there is."""
    present = Revision.objects.filter(endpoint__target=target, state__in=PRESENT)
    # where an endpoint is stopped, none does
    running = Sum(MOST_REPLICAS, filter=Q(endpoint__state=EndpointState.ACTIVE))
    totals = present.aggregate(revisions=Count("pk"), replicas=running)
    more = serving.scaling.most if serving.scaling else serving.replicas
    revisions, replicas = totals["revisions"] + 1, (totals["replicas"] or 0) + more
    problems = []
    if revisions > MAX_ROWS:
        problems.append(f"{target.name} has {MAX_ROWS} revisions, and a node tells of no more")
    if replicas > MAX_REPLICAS:
        problems.append(
            f"{replicas} replicas are wanted on {target.name}, and a node has users for "
            f"{MAX_REPLICAS}"
        )
    return problems


def observation(node: Node, at: datetime) -> Observation:
    """Turn the stored report of ``node`` into an observation."""
    report: Mapping[str, Any] = node.report
    applied = report.get("applied", {})
    aborts = {row["revision"]: row["detail"] for row in report.get("aborts", [])}
    revisions = {
        row["id"]: RevisionObservation(
            id=row["id"],
            phase=row["phase"],
            ready_replicas=row["ready_replicas"],
            weight=row["weight"],
            detail=row["detail"],
            bento_digest=row["bento_digest"],
            since=row["since"],
            aborted=aborts.get(row["id"], ""),
        )
        for row in report.get("revisions", [])
    }
    return Observation(
        alive=is_alive(node.heard_at, at),
        seen_at=node.heard_at,
        applied=StateGeneration(applied.get("epoch", 0), applied.get("number", 0)),
        revisions=revisions,
    )


def is_alive(heard_at: datetime | None, at: datetime) -> bool:
    """Tell whether a node was heard of within the last seconds."""
    return heard_at is not None and at - heard_at < timedelta(seconds=ALIVE_SECONDS)


def pythons(platform: Mapping[str, Any]) -> list[str]:
    """Return the Python versions that a node says it has, as ``3.13``."""
    versions = platform.get("pythons", [])
    return [short_version(str(item)) for item in versions] if isinstance(versions, list) else []


def features(platform: Mapping[str, Any]) -> list[str]:
    """Return what a node's agent says it can do beside what every agent could."""
    names = platform.get("features", [])
    return [str(item) for item in names] if isinstance(names, list) else []


def short_version(version: str) -> str:
    """Return ``3.13`` for ``3.13.5``."""
    return ".".join(version.split(".")[:2])
