"""Promotion: when a release that soaked in one environment opens the request in the next. Pure.

How long it has to soak says the gate ``soaked`` of the policy there, and that very gate answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.governance.gates import approvals, evaluate, soaked
from apps.governance.gates.facts import Facts, SoakFact
from placet.kernel.durations import seconds, spell

AFTER = soaked.NAME  # the one thing after which a request opens by itself

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Soak:
    """Whether a Bento has soaked as a policy demands; if time alone is missing, when it will."""

    passed: bool
    passes_at: datetime | None = None


def soak_gates(policy: Document | None, environment: str) -> list[Document]:
    """Return what ``policy`` demands of soaking in ``environment``."""
    gates = (policy or {}).get("gates", ())
    return [g for g in gates if g["gate"] == soaked.NAME and g["environment"] == environment]


def fault(policy: Document | None, source: str, target: str) -> str:
    """Return why nothing opens by itself in ``target`` by this ``policy`` of it, and what to do;
    '' where something may.

    It must say how long to soak, and ask people: what opens by itself is never let in by itself.
    """
    if policy is None:
        return f"{target} has no policy: publish one first"
    if not soak_gates(policy, source):
        return (
            f"The policy of {target} asks for no soaking in {source}: publish a revision with the "
            f"gate {{gate: soaked, environment: {source}, for: 24h}} first"
        )
    if not any(gate["gate"] == approvals.NAME for gate in policy["gates"]):
        return (
            f"The policy of {target} asks nobody to approve: publish a revision with a gate "
            "`approvals` first"
        )
    return ""


def soak(policy: Document, environment: str, stretches: Sequence[SoakFact], now: datetime) -> Soak:
    """Return how what was live in ``environment`` stands before the gates of ``policy``."""
    facts = Facts(
        now=now,
        bento_digest="",
        environment="",
        requester="",
        author="",
        version={},
        soaks={environment: stretches},
    )
    results = [evaluate(gate, facts) for gate in soak_gates(policy, environment)]
    if not results or any(r["state"] not in ("passed", "waiting") for r in results):
        return Soak(passed=False)
    ends = [r["facts"]["passes_at"] for r in results if r["state"] == "waiting"]
    latest = max(map(datetime.fromisoformat, ends), default=None)
    return Soak(passed=latest is None, passes_at=latest)


def wanted(policy: Document | None, environment: str) -> str:
    """Return how long a policy has a Bento soak in ``environment``, in words."""
    longest = max((seconds(g["for"]) for g in soak_gates(policy, environment)), default=0)
    return spell(longest)
