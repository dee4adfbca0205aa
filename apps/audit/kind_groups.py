"""Kinds of events in groups that people know: what is asked is answered by kinds, which have an
index."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindGroup:
    """Kinds that belong together, by what stands before the first dot of their names."""

    title: str
    families: tuple[str, ...]


GROUPS: Mapping[str, KindGroup] = {
    "releases": KindGroup(
        "Releases, approvals and policies",
        ("release", "promotion", "break_glass", "policy", "freeze", "environment"),
    ),
    "discussions": KindGroup("Discussions", ("discussion",)),
    "serving": KindGroup(
        "Endpoints and rollouts",
        ("endpoint", "revision", "rollout", "drill", "prefetch", "secret"),
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
    "alerts": KindGroup("Alerts, SLOs and erasures", ("alert", "objective", "erasure")),
    "log": KindGroup(
        "The log itself",
        ("audit", "retention", "legal_hold", "stream", "webhook", "witness", "witnessed_log"),
    ),
    "platform": KindGroup(
        "Background work, keys and backups", ("job", "store", "backup", "credentials", "instance")
    ),
}


# Kinds that say more than their name does, which the log has in an index: how people decided, what
# became of a revision, and who asked Placet to do it.
DECIDED, CHANGED = "release.decided.v1", "revision.changed.v1"
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
