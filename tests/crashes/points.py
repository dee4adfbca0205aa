"""Every named crash point, by the process that dies there and the moment at which it can.

``before_commit.KIND`` and ``after_commit.KIND`` stand around the commit of every action: one pair
for each kind of event (``apps.audit.actions.record``).
"""

from tests.crashes import errands


def around(*kinds: str) -> tuple[str, ...]:
    """Return the points before and behind the commit of actions that log these kinds."""
    return tuple(f"{side}_commit.{kind}.v1" for kind in kinds for side in ("before", "after"))


def pairs(*names: str) -> tuple[str, ...]:
    """Return the points before and behind each of ``names``: ``part.before_name``."""
    return tuple(
        f"{part}.{side}_{what}"
        for part, what in (name.split(".", 1) for name in names)
        for side in ("before", "after")
    )


# What the first walk on a new platform passes, and no later one.
FIRST = (
    *around("model.created", "endpoint.created", "runtime.added"),
    *pairs("builds.lock_rename", "builds.runtime_rename", "agent.runtime_rename"),
    *pairs("agent.rename.haproxy.cfg"),
)
PATH = (
    *around("version.created", "version.files_added", "upload.started", "evidence.added"),
    *around("version.finalised", "build.requested", "release.requested", "release.decided"),
    *around("release.approved", "rollout.rollback_started", "prefetch.added"),
    *pairs("registry.blob_rename", "registry.chunk_acknowledged", "registry.files_added"),
    *pairs("serving.report_commit"),
    "registry.before_finalise",
)
ERRANDS = tuple(f"{side}_commit.{kind}" for kind in errands.OF_KIND for side in ("before", "after"))
BACKUP = ("backup.after_dump", *pairs("backup.manifest"))
WEB = (*PATH, *ERRANDS, *BACKUP)
BUILD = (
    *around("build.started", "build.succeeded", "bento.added"),
    *pairs("builds.lines_commit", "builds.commit_success"),
    "builds.after_start",
    "builds.after_fetch",
    "builds.after_scan",
    "builds.after_runtime",
    "builds.after_generate",
    "builds.after_build",
    "builds.after_smoke",
    "builds.after_sbom",
    "builds.after_export",
)
CONTROL = (
    *around("release.rolling_out", "rollout.started", "revision.added", "revision.changed"),
    *around("rollout.shifting", "rollout.draining", "rollout.done", "release.live"),
    *around("release.superseded", "release.rolled_back", "release.restored"),
    *pairs("rollouts.start_commit", "rollouts.command", "rollouts.store"),
    *pairs("serving.state_commit", "monitoring.windows", "jobs.finish", "jobs.planned"),
    *pairs("jobs.alive_rename", "audit.checkpoint_commit", "audit.checkpoint_rename"),
    "jobs.after_claim",
)
# Passed by a release that goes out step by step: some by the web process, some by the worker.
STEPS = around(
    "rollout.copies_set",
    "rollout.testers_led",
    "rollout.weight_set",
    "rollout.waiting",
    "rollout.analysing",
    "rollout.analysed",
    "rollout.waiting_for_person",
    "rollout.paused",
    "rollout.resumed",
)
GRADUAL = frozenset(STEPS)
# Passed when HAProxy is started again, because it was killed.
HAPROXY = frozenset(pairs("agent.rename.process.json", "agent.haproxy_start"))
NODE = (
    *sorted(HAPROXY),
    *pairs("agent.rename.state.json", "agent.rename.memory.json", "agent.rename.table.json"),
    *pairs("agent.rename.route.map", "agent.rename.logged.json", "agent.rename.files.json"),
    *pairs("agent.haproxy_servers"),
    *pairs("agent.haproxy_maps", "agent.replica_start", "agent.bento_rename"),
    "agent.after_replica_stop",
)
# What needs more than a run of the campaign has: old bytes to collect, a machine to restore on.
# Each is killed at by the test named.
BY_TEST = {
    "tests/integration/registry/test_killed_collecting.py": (
        *pairs("registry.blob_swept"),
        *around("store.collected"),
    ),
    "tests/integration/backup/test_restore.py": (
        *pairs("restore.load"),
        *around("backup.restored"),
        "restore.after_artifacts",
    ),
    "tests/integration/audit/test_killed_commits.py": around("project.created"),
    "tests/integration/agent/test_holder.py": pairs("agent.holder_start"),
    "tests/integration/agent/test_warm.py": pairs("agent.warm_start", "agent.replica_take"),
    "tests/integration/agent/test_sleeping.py": (*pairs("agent.door"), "agent.after_door_taken"),
    "tests/integration/audit/test_timestamps.py": pairs("audit.stamp_commit"),
    "tests/integration/assurance/test_archiving.py": (
        "assurance.after_archive_file",
        *around("audit.archived"),
    ),
    "tests/integration/integrations/test_killed_workers.py": (
        "integrations.after_send",
        *pairs("integrations.cursor_commit"),
    ),
    "tests/integration/integrations/test_killed_calls.py": (
        "integrations.after_call",
        *pairs("integrations.spread_commit", "integrations.call_commit"),
    ),
    "tests/integration/notices/test_killed.py": (
        "notices.after_send",
        *pairs("notices.spread_commit", "notices.settle_commit"),
    ),
    "tests/integration/rollouts/test_killed_workers.py": around(
        "rollout.scaling_up",
        "drill.started",
        "rollout.returning",
        "drill.finished",
        "drill.skipped",
    ),
}
CAMPAIGN = (*FIRST, *WEB, *BUILD, *CONTROL, *STEPS, *NODE)
ALL = (*CAMPAIGN, *(point for some in BY_TEST.values() for point in some))
# Kinds of actions that nobody on the campaign's path does. Their commits are those of ``record``,
# as all others: tests/integration/audit/test_killed_commits.py kills at both sides of one.
NOT_WALKED = frozenset(
    {
        "version.discarded.v1",
        "secret.created.v1",
        "secret.given.v1",
        "secret.revoked.v1",
        "secret.set.v1",
        "alert.acknowledged.v1",
        "alert.answered.v1",
        "alert.opened.v1",
        "alert.recall_withdrawn.v1",
        "alert.resolved.v1",
        "bento.collected.v1",
        "declaration.made.v1",
        "discussion.edited.v1",
        "discussion.file_deleted.v1",
        "discussion.file_scanned.v1",
        "discussion.opened.v1",
        "discussion.removed.v1",
        "discussion.reopened.v1",
        "discussion.replied.v1",
        "discussion.resolved.v1",
        "runtime.collected.v1",
        "project.quota_set.v1",
        "project.samples_requested.v1",
        "break_glass.confirmed.v1",
        "break_glass.ended.v1",
        "break_glass.lapsed.v1",
        "break_glass.opened.v1",
        "break_glass.reviewed.v1",
        "break_glass.used.v1",
        "build.failed.v1",
        "credentials.changed.v1",
        "credentials.rehashed.v1",
        "device_login.confirmed.v1",
        "device_login.denied.v1",
        "drill.scheduled.v1",
        "drill.unscheduled.v1",
        "endpoint.deleted.v1",
        "endpoint.key_rule_changed.v1",
        "endpoint.restarted.v1",
        "endpoint.scaled.v1",
        "endpoint.started.v1",
        "endpoint.stopped.v1",
        "environment.changed.v1",
        "erasure.done.v1",
        "erasure.requested.v1",
        "environment.created.v1",
        "hold.placed.v1",
        "hold.released.v1",
        "instance.tried.v1",
        "job.cancelled.v1",
        "promotion.opened.v1",
        "promotion.refused.v1",
        "legal_hold.lifted.v1",
        "legal_hold.placed.v1",
        "retention.set.v1",
        "mfa.added.v1",
        "mfa.removed.v1",
        "mfa.reset.v1",
        "node.changed.v1",
        "node.checkpoint_ahead.v1",
        "node.joined.v1",
        "node.reported_error.v1",
        "node.state_ahead.v1",
        "passkey.enrolled.v1",
        "passkey.offered.v1",
        "passkey.withdrawn.v1",
        "password.changed.v1",
        "person.absence_cleared.v1",
        "person.absence_set.v1",
        "person.created.v1",
        "person.deactivated.v1",
        "person.erased.v1",
        "person.identity_linked.v1",
        "person.placed.v1",
        "person.reactivated.v1",
        "person.sessions_ended.v1",
        "person.setup_link_made.v1",
        "person.updated.v1",
        "policy.published.v1",
        "prefetch.removed.v1",
        "project.updated.v1",
        "recall.confirmed.v1",
        "recall.contradicted.v1",
        "recall.created.v1",
        "recall.lifted.v1",
        "recall.reached.v1",
        "receipt.kept.v1",
        "receipt.refused.v1",
        "release.changes_lifted.v1",
        "release.expired.v1",
        "release.aborted.v1",
        "release.failed.v1",
        "release.policy_changed.v1",
        "release.reopened.v1",
        "release.retired.v1",
        "release.review_overdue.v1",
        "release.review_requested.v1",
        "release.review_unrequested.v1",
        "release.revoked.v1",
        "release.uncounted.v1",
        "revision.refused.v1",
        "revision.requests_taken_back.v1",
        "role.granted.v1",
        "role.revoked.v1",
        "role.second_factor_demanded.v1",
        "role.second_factor_waived.v1",
        "rollout.aborted.v1",
        "rollout.aborting.v1",
        "rollout.failed.v1",
        "rollout.analyses_passed.v1",
        "rollout.passing_asked.v1",
        "rollout.passing_confirmed.v1",
        "rollout.passing_declined.v1",
        "rollout.passing_withdrawn.v1",
        "rollout.promoted.v1",
        "rollout.retried.v1",
        "rollout.step_skipped.v1",
        "rollout.testing.v1",
        "rollout.effect_shown.v1",
        "rollout.shipped.v1",
        "service_account.created.v1",
        "service_account.deactivated.v1",
        "service_account.updated.v1",
        "target.changed.v1",
        "target.created.v1",
        "stream.added.v1",
        "stream.blocked.v1",
        "stream.failing.v1",
        "stream.paused.v1",
        "stream.recovered.v1",
        "stream.removed.v1",
        "stream.rewound.v1",
        "stream.started.v1",
        "stream.tested.v1",
        "target.join_token_issued.v1",
        "target.owner_changed.v1",
        "target.use_added.v1",
        "target.use_removed.v1",
        "team.created.v1",
        "team.deleted.v1",
        "team.member_added.v1",
        "team.member_removed.v1",
        "version.edited.v1",
        "webhook.added.v1",
        "webhook.changed.v1",
        "webhook.disabled.v1",
        "webhook.enabled.v1",
        "webhook.redelivered.v1",
        "webhook.removed.v1",
        "webhook.rotated.v1",
        "webhook.tested.v1",
        "witness.added.v1",
        "witness.agrees.v1",
        "witness.ahead.v1",
        "witness.forked.v1",
        "witness.removed.v1",
        "witnessed_log.added.v1",
        "witnessed_log.forked.v1",
        "witnessed_log.removed.v1",
    }
)
# Which child of the supervisor a point ends. Where the web process commits, one of gunicorn's own
# workers dies, which gunicorn replaces.
OF_CHILD = {
    "worker": frozenset((*CONTROL, *STEPS)),
    "worker-build": frozenset(BUILD),
    "node": frozenset(NODE),
}
# Armed from the request on: before it these would hit a state that holds nothing yet.
LATE = frozenset(NODE) - HAPROXY
