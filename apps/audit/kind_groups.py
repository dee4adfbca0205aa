"""Kinds of events in groups that people know, and by words of what they say. Pure but for the list
of kinds: what is asked is answered by kinds, which have an index."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.audit.events import declared, kinds


@dataclass(frozen=True, slots=True)
class KindGroup:
    """Kinds that belong together, by what stands before the first dot of their names."""

    title: str
    families: tuple[str, ...]


GROUPS: Mapping[str, KindGroup] = {
    "releases": KindGroup(
        "Releases, approvals and policies",
        ("release", "break_glass", "policy", "freeze", "environment"),
    ),
    "serving": KindGroup(
        "Endpoints and rollouts", ("endpoint", "revision", "rollout", "drill", "prefetch")
    ),
    "models": KindGroup(
        "Models, versions and builds",
        (
            *("model", "version", "alias", "upload", "evidence", "declaration", "signing_key"),
            *("build", "bento", "runtime", "hold"),
        ),
    ),
    "recalls": KindGroup("Recalls and run receipts", ("recall", "receipt")),
    "people": KindGroup(
        "People, roles and sign-in",
        (
            *("access", "person", "role", "team", "service_account", "project", "token"),
            *("session", "password", "mfa", "passkey", "device_login"),
        ),
    ),
    "targets": KindGroup("Targets and nodes", ("target", "node")),
    "alerts": KindGroup("Alerts, objectives and erasures", ("alert", "objective", "erasure")),
    "log": KindGroup(
        "The log itself",
        ("audit", "retention", "legal_hold", "stream", "witness", "witnessed_log"),
    ),
    "platform": KindGroup(
        "Background work, keys and backups", ("job", "store", "backup", "credentials", "instance")
    ),
}


# Kinds that say more than their name does, which the log has in an index: how people decided, and
# who asked Placet to do it.
DECIDED, VERDICTS = "release.decided.v1", ("approve", "reject")
ASKED_FOR = ("release.aborted.v1", "release.rolled_back.v1")  # no other kind may say who asked
# Whom these are about is no row that they hold: their data has it, by these names.
HOLDING = (
    *("team.member_added.v1", "team.member_removed.v1"),
    *("role.granted.v1", "role.revoked.v1"),
)
HOLDER_FIELDS, HOLDER_IDS = ("team", "person", "holder"), ("tem_", "per_", "svc_")
# What Placet logs in the same moment and for the same request came of these.
FOLLOWED = ("recall.created.v1",)
# So did what it logs with these of a rollout that it began: another release is live again.
WENT_LIVE = "rollout.draining.v1"


# Verbs whose past, which sentences have, does not begin as they do.
PAST = {
    "withdraw": "withdrew",
    "withdrawn": "withdrew",
    "give": "gave",
    "given": "gave",
    "take": "took",
    "taken": "took",
    "freeze": "froze",
    "frozen": "froze",
    "send": "sent",
    "hold": "held",
    "deny": "denied",
    "try": "tried",
}


def kinds_saying(text: str) -> list[str]:
    """Return the kinds in whose name or sentences every word of ``text`` stands, as pages have it
    or as people ask: *withdraw* finds *Withdrew the recall*."""
    words = text.casefold().split()
    return [name for name, kind in kinds().items() if _are_in(words, name, kind.said)]


def verdicts_saying(text: str) -> list[str]:
    """Return the verdicts of the decisions in whose sentence every word of ``text`` stands, which
    no sentence of their kind has: "approved"."""
    words, kind = text.casefold().split(), declared(DECIDED)
    if _are_in(words, DECIDED, kind.said):
        return []
    said = {verdict: kind.line({"verdict": verdict}) for verdict in VERDICTS}
    return [verdict for verdict, line in said.items() if _are_in(words, DECIDED, line)]


def _are_in(words: list[str], name: str, sentence: str) -> bool:
    said = f"{name} {sentence}".casefold()
    return all(word in said or PAST.get(word, word) in said for word in words)
