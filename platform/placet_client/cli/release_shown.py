"""How one release is shown: with its gates, its decisions, and earlier attempts to release its
version."""

from placet_client.cli.serving import withdrawn
from placet_client.cli.waiting import called, reason_in_words
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import Attempts, DecisionDetail, ReleaseDetail, ReleasePassedOver

BRIEF = ["id", "project", "number", "model", "version", "environment", "endpoint", "target"]
BRIEF += ["state", "reason", "not_after", "live_at", "ended_at", "ended_reason"]
SHOWN = [*BRIEF, "may_still_decide", "requested_by", "author", "created_at", "approved_at"]
SHOWN += ["plan", "serving", "bento_digest", "policy", "request_digest"]
MADE = ["id", "release", "verdict", "role", "name", "comment", "at", "voided_reason"]
REVIEWER = ["name", "state", "requested_by_name", "requested_at", "due_at", "verdict"]
GATE = ["state", "title", "reason"]
ATTEMPT = ["number", "environment", "endpoint", "outcome", "by_name", "reason", "at"]


def why_ended(view: ReleaseDetail) -> str:
    """Return why a release ended; of a recall what its page says to whoever may see it."""
    if told := view.recall:
        return f"Recalled by {told.by_name} ({told.id}): “{told.reason}”{withdrawn(told)}"
    return view.release.ended_reason


def show_release(
    view: ReleaseDetail, attempts: Attempts, passed: ReleasePassedOver, state: str, output: Form
) -> None:
    """Print a release and how it stands in one word; first the worst of the attempts before it, and
    which of the analyses that people signed were passed over."""
    if output is Form.JSON:
        more = {"earlier_attempts": attempts.raw, **passed.raw}
        show_one({**view.raw, **more}, output)
        return
    told = {
        "state": state,
        "requested_by": view.requester_name,
        "author": view.author_name,
        "may_still_decide": [called(person) for person in view.may_still_decide],
        "ended_reason": why_ended(view),
    }
    if attempts.worst:
        say(attempts.worst)
    for gone_past in passed.passed_over:
        say(gone_past.sentence)
    show_one(view.release.raw | told, output, SHOWN)
    if view.shared_network:
        say(f"Its replicas would not be kept from the network: {view.shared_network}")
    for mark in view.egress_marks:
        say(f"It may reach: {mark}")
    _say_answers(view)
    _say_what_stops_it(view)
    _show_gates(view, output)
    if view.decisions:
        void = ["voided_reason"] if any(one.voided_reason for one in view.decisions) else []
        show_list(view.decisions, ["verdict", "role", "name", "comment", "at", *void], output)
    _show_reviewers(view, output)
    if attempts.items:
        heading = "Earlier attempts to release this version:"
        show_list(attempts.items, ATTEMPT, output, heading=heading)


def _show_gates(view: ReleaseDetail, output: Form) -> None:
    """List the gates, each with the reason that `release wait` tells of it."""
    is_over = view.release.state not in ("requested", "approved")
    last = "Its gates are looked at no more. They said last, at its start or its end:"
    gates = [{**one.raw, "reason": reason_in_words(one, view)} for one in view.gates]
    show_list(gates, GATE, output, heading=last if is_over else "")


def _say_what_stops_it(view: ReleaseDetail) -> None:
    if view.too_few_people:
        say(view.too_few_people)
    if view.waits_for:
        say(f"Beside its gates it waits: {view.waits_for}")


def _show_reviewers(view: ReleaseDetail, output: Form) -> None:
    """List who was asked by name, and say who stands in for those who are away."""
    if view.reviewers:
        show_list(view.reviewers, REVIEWER, output, heading="Asked by name to review it:")
    for one in view.reviewers:
        if one.away and one.state in ("asked", "overdue"):
            nobody = f"nobody stands in: {one.away.passed_over}"
            who = nobody if one.away.passed_over else f"{one.away.name} stands in"
            say(f"{one.name} is away until {one.away.until:%Y-%m-%d %H:%M} UTC; {who}")


def _say_answers(view: ReleaseDetail) -> None:
    """Say which requests for changes it answers, and what answers those on it."""
    for one in view.answers:
        where = f"release {one.number}, which is {one.state.replace('_', ' ')}"
        words = f": “{one.comment}”" if one.comment else ""
        say(f"It answers changes requested by {one.name} (as {one.role}) on {where}{words}")
    if view.answered_by and any(gate.gate == "changes" for gate in view.gates):
        newer = view.answered_by
        say(f"Release {newer.number} of version {newer.version} answers what was requested on it")


def show_decision(made: DecisionDetail, output: Form) -> None:
    """Print a decision with what its release showed to who made it."""
    show_one(made.raw, output, MADE)
    if output is Form.JSON:
        return
    before = ""
    if (record := made.record) is None:
        before = "Before version 0.2.0 the gates alone were kept of what was shown:"
    else:
        against = record.changes.compared_with
        live = record.live
        head = f"Compared with {against}, release {live.number}:" if live else "Nothing was live:"
        names = ["name", "live", "proposed"]
        show_list(record.changes.metrics, names, output, none="No metrics.", heading=head)
        show_list(record.evidence, ["kind", "source", "digest"], output, none="No evidence.")
    show_list(made.gates, GATE, output, heading=before)
