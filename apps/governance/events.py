"""What this app writes into the log. ``data`` holds ids, numbers and enumerated words only."""

from apps.audit.events import event_kind
from apps.governance.rules import (
    DECIDED_AGAIN,
    GLASS_ENDS,
    SIGNATURE_RECALLED,
    STARTED_WITHOUT,
    STARTER_LEFT,
    TAKEN_BACK,
)
from apps.identity.rules.roles import ROLES
from placet_verify.statements import VERDICTS

ENVIRONMENT_CREATED = event_kind("environment.created", "Created an environment")
ENVIRONMENT_CHANGED = event_kind("environment.changed", "Changed an environment")
POLICY_DRAFTED = event_kind("policy.drafted", "Drafted policy revision {number}")
POLICY_PUBLISHED = event_kind(
    "policy.published", "Published policy revision {number}; {moved:open release} moved to it"
)
POLICY_WITHDRAWN = event_kind("policy.withdrawn", "Withdrew the draft of policy revision {number}")
FREEZE_SET = event_kind("freeze.set", "Froze the environment")
FREEZE_LIFTED = event_kind("freeze.lifted", "Lifted a freeze")
RELEASE_REQUESTED = event_kind("release.requested", "Requested release {number}")
PROMOTION_OPENED = event_kind(
    "promotion.opened", "Requested release {number} by itself: release {source} has soaked"
)
PROMOTION_REFUSED = event_kind(
    "promotion.refused", "Release {source} has soaked, and no request could be opened by itself"
)
RELEASE_APPROVED = event_kind("release.approved", "Release {number} is approved")
RELEASE_MOVED = event_kind(
    "release.policy_changed",
    "Moved release {number} to policy revision {policy}",
    fuller=("Moved release {number} to policy revision {policy} and voided {voided:decision}",),
)
RELEASE_DECIDED = event_kind(
    "release.decided",
    "Decision as {role}: {verdict:word}",
    seals=("comment_sealed",),
    words={"role": ROLES, "verdict": VERDICTS},
)
CHANGES_LIFTED = event_kind(
    "release.changes_lifted",
    "Lifted the request for changes on release {number}: {because:word}",
    words={"because": (DECIDED_AGAIN, TAKEN_BACK)},
)
REVIEW_REQUESTED = event_kind(
    "release.review_requested",
    "Requested a review of release {number} from {person:id}",
    fuller=(
        "Requested a review of release {number} from {person:id}, for whom {deputy:id} stands in",
    ),
)
REVIEW_UNREQUESTED = event_kind(
    "release.review_unrequested", "Took back the review request to {person:id} on release {number}"
)
REVIEW_OVERDUE = event_kind(
    "release.review_overdue",
    "The review of release {number} by {person:id} is overdue",
    fuller=(
        "The review of release {number} by {person:id}, for whom {deputy:id} stands in, is overdue",
    ),
)
ABSENCE_SET = event_kind("person.absence_set", "Set an absence, with {deputy:id} as deputy")
ABSENCE_CLEARED = event_kind(
    "person.absence_cleared", "Ended the absence, and has no deputy any more"
)
RELEASE_REJECTED = event_kind("release.rejected", "Release {number} is rejected")
RELEASE_WITHDRAWN = event_kind("release.withdrawn", "Withdrew release {number}")
RELEASE_EXPIRED = event_kind("release.expired", "Release {number} was not started in time")
RELEASE_COMMENTED = event_kind(
    "release.commented", "Commented on release {number}", seals=("text_sealed",)
)
RELEASE_STARTED = event_kind("release.rolling_out", "Release {number} is rolling out")
RELEASE_LIVE = event_kind("release.live", "Release {number} is live")
RELEASE_RETIRED = event_kind("release.retired", "Release {number} was retired with its endpoint")
RELEASE_SUPERSEDED = event_kind("release.superseded", "Release {number} was replaced by {by}")
RELEASE_FAILED = event_kind("release.failed", "The rollout of release {number} failed")
RELEASE_ABORTED = event_kind("release.aborted", "The rollout of release {number} was aborted")
RELEASE_REOPENED = event_kind("release.reopened", "Release {number} can be rolled out again")
RELEASE_ROLLED_BACK = event_kind("release.rolled_back", "Release {number} was rolled back")
RELEASE_REVOKED = event_kind("release.revoked", "Release {number} is revoked by a recall")
RELEASE_UNCOUNTED = event_kind(
    "release.uncounted", "Voided {voided:decision} on release {number}: recalled"
)
GLASS_OPENED = event_kind(
    "break_glass.opened",
    "Started an emergency release of release {number}: {people} signatures needed",
    seals=("reason_sealed", "comment_sealed"),
)
GLASS_CONFIRMED = event_kind(
    "break_glass.confirmed",
    "Co-signed the emergency release of release {number} as {role}",
    seals=("comment_sealed",),
    words={"role": ROLES},
)
GLASS_USED = event_kind(
    "break_glass.used", "Release {number} was rolled out as an emergency release"
)
WHY_ENDED = {
    "because": (*GLASS_ENDS.values(), STARTED_WITHOUT),
    "why": (SIGNATURE_RECALLED, STARTER_LEFT),
}
GLASS_ENDED = event_kind(
    "break_glass.ended",
    "The emergency release of release {number} ended",
    fuller=(
        "The emergency release of release {number} ended: its release {because:word}",
        "The emergency release of release {number} ended: policy r{policy} is active",
        "The emergency release of release {number} ended: {why:word}",
    ),
    words=WHY_ENDED,
)
GLASS_LAPSED = event_kind(
    "break_glass.lapsed",
    "The emergency release of release {number} ended before it took effect",
    fuller=(
        "The emergency release of release {number} ended before it took effect: its release"
        " {because:word}",
        "The emergency release of release {number} ended before it took effect: policy r{policy}"
        " is active",
        "The emergency release of release {number} ended before it took effect: {why:word}",
    ),
    words=WHY_ENDED,
)
GLASS_REVIEWED = event_kind(
    "break_glass.reviewed",
    "Closed the review of the emergency release of release {number}: {finding:word}",
    seals=("findings_sealed",),
    words={"finding": ("justified", "not_justified")},
)
RELEASE_RESTORED = event_kind("release.restored", "Release {number} is live again")
