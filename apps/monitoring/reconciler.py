"""Looking for what is wrong: one pass measures everything, opens what is new, ends what is over.

A pass may be repeated or run twice at a time: one alert of a kind and subject is unresolved, and
its state moves by compare-and-set. What a pass cannot judge it leaves as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q, QuerySet

from apps.audit import rules as rules_of_log
from apps.audit.queries import log_size
from apps.jobs.each import each
from apps.jobs.handlers import timetables
from apps.jobs.models import Job, JobState
from apps.monitoring import queries
from apps.monitoring.actions.alerts import AlertFinding, close_settled, open_alert
from apps.monitoring.models import Alert, AlertKind, unresolved
from apps.monitoring.queries import Watched
from apps.monitoring.queries.objectives import name_of, owner_of
from apps.monitoring.rules import ending, node_fault, replicas_fault, unreached_fault
from apps.serving.models import HEARD_AT, Endpoint, Node
from apps.serving.queries import EndpointStatus, node_status, reported_revisions, statuses
from apps.serving.replicas import wanted_replicas
from apps.serving.rules import EndpointState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint

Judged = TypeVar("Judged")
SILENT_SECONDS = 60  # a node that said nothing for longer is worth an alert
FAILURES_IN_A_ROW = 3  # of a schedule; one failed run is made good by the next
LOOK_BACK = timedelta(days=1)  # for jobs that failed for good
OF_ENDPOINTS = (
    AlertKind.OBJECTIVE,
    AlertKind.NO_DATA,
    AlertKind.REPLICAS,
    AlertKind.STABLE_DOWN,
    AlertKind.NODE_SILENT,
    AlertKind.NODE_ERROR,
    AlertKind.RECALL_STOPPED,
)
# A failure is shown as the build's, or the file's, to who asked for it.
OWN_STATE = ("builds.run", "discussions.scan")


@dataclass(slots=True)
class Sweep:
    """What a pass found wrong, the (kind, subject) pairs that it could not judge, what it measured
    of others that are judged by figures, and what was raised over one of them."""

    findings: list[AlertFinding] = field(default_factory=list)
    unknown: set[tuple[str, str]] = field(default_factory=set)
    measured: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)


def watch_endpoints() -> dict[str, int]:
    """Judge objectives, replicas and nodes. What cannot be judged of one stops no other."""
    sweep, at = Sweep(), now()
    active = statuses(Endpoint.objects.filter(state=EndpointState.ACTIVE).order_by("pk"))
    live = {s.endpoint.pk: s.live.revision.pk for s in active if s.live is not None}
    objectives = {item.objective.endpoint.pk: item for item in queries.watched()}
    by_endpoint = {status.endpoint.pk: status for status in active}
    judge_each((AlertKind.OBJECTIVE, AlertKind.NO_DATA), objectives, judge_objective, sweep)
    judge_each((AlertKind.REPLICAS,), by_endpoint, lambda s, w: judge_replicas(s, w, at), sweep)
    judge_each((AlertKind.STABLE_DOWN,), by_endpoint, judge_stable, sweep)
    judge_nodes(sweep, at)
    judge_errors(sweep, at)
    judge_log(sweep)
    return settle(sweep, OF_ENDPOINTS, live)


def anything_to_watch() -> list[QuerySet[Any]]:
    """Return what :func:`watch_endpoints` looks at: endpoints that serve, nodes that are silent or
    say that something is wrong, and alerts that may be over."""
    active = Endpoint.objects.filter(state=EndpointState.ACTIVE)
    return [active, _silent(now()), _erring(), _ahead(), unresolved(*OF_ENDPOINTS)]


def judge_each(
    kinds: Iterable[AlertKind],
    rows: Mapping[str, Judged],
    judge: Callable[[Judged, Sweep], None],
    sweep: Sweep,
) -> None:
    """Judge the row of each endpoint, of which none stops the others: one that raises is unknown,
    and so keeps the alerts that it has."""

    def judged(pk: str) -> str:
        judge(rows[pk], sweep)
        return pk

    left = rows.keys() - each(judged, rows, sweep.faults)
    sweep.unknown |= {(kind, pk) for kind in kinds for pk in left}


def watch_jobs() -> dict[str, int]:
    """Find routine work that keeps failing, and jobs that failed for good."""
    sweep = Sweep(schedules_failing())
    new = {finding.subject: finding for finding in jobs_failed(now())}
    failed = each(lambda kind: open_alert(new[kind], actor=SYSTEM), new, sweep.faults)
    done = settle(sweep, (AlertKind.SCHEDULE_FAILING,), {})
    return {**done, "opened": done["opened"] + sum(row is not None for row in failed)}


def settle(sweep: Sweep, kinds: Iterable[AlertKind], live: dict[str, str]) -> dict[str, int]:
    """Open an alert for each finding, and end those of ``kinds`` that are found no more.

    What could not be judged stays, unless the revision that it is about serves no longer; so does
    what a recall opened, until the endpoint serves again or is deleted. What was raised over one
    of them is raised at the end, so that people are told.
    """
    recalled = Q(kind=AlertKind.RECALL_STOPPED) & ~Q(endpoint__in=live)
    stopped = recalled & ~Q(endpoint__state=EndpointState.DELETED)
    keys = {(finding.kind, finding.subject) for finding in sweep.findings}
    over, why = [], {}
    for alert in unresolved(*kinds).exclude(stopped):
        key = (AlertKind(alert.kind), alert.subject)
        gone = bool(alert.revision) and live.get(alert.subject) != alert.revision
        if gone or (key not in keys and key not in sweep.unknown):
            over.append(alert)
            why[alert.pk] = "" if gone else sweep.measured.get(key, "")
    new = {f"{finding.kind} of {finding.subject}": finding for finding in sweep.findings}
    ended = each(
        lambda alert: close_settled([alert], actor=SYSTEM, why=why[alert.pk]), over, sweep.faults
    )
    opened = each(lambda name: open_alert(new[name], actor=SYSTEM), new, sweep.faults)
    if sweep.faults:
        raise sweep.faults[0]
    return {"opened": sum(row is not None for row in opened), "resolved": sum(ended)}


def judge_objective(item: Watched, sweep: Sweep) -> None:
    """Say whether the live revision keeps to its objective, and whether that is known."""
    endpoint, verdict = item.objective.endpoint, item.verdict
    for kind in (AlertKind.OBJECTIVE, AlertKind.NO_DATA):
        sweep.measured[kind, endpoint.pk] = ending(item.objective.terms, verdict)
    common = {
        "subject": endpoint.pk,
        "about": name_of(endpoint),
        "endpoint": endpoint,
        "revision": item.revision.pk,
        "owner": item.objective.owner,
    }
    if verdict.standing == "breached":
        sweep.findings.append(
            AlertFinding(
                AlertKind.OBJECTIVE,
                summary=f"{item.revision.bento.version}: {verdict.reason}",
                roll_back=item.objective.roll_back and verdict.trusted,
                **common,
            )
        )
    elif verdict.standing == "unknown":
        sweep.unknown.add((AlertKind.OBJECTIVE, endpoint.pk))
    if missing(item):
        summary = f"{item.revision.bento.version}: {verdict.reason}"
        sweep.findings.append(AlertFinding(AlertKind.NO_DATA, summary=summary, **common))


def missing(item: Watched) -> bool:
    """Tell whether data are missing that should be there; a silent node has its own alert."""
    cause = item.verdict.cause
    if cause == "gaps":
        return True
    if cause != "few" or not item.objective.expect_traffic:
        return False
    serves_since = item.revision.live_at or item.revision.created_at
    return now() - serves_since >= timedelta(minutes=item.objective.window_minutes)


def judge_replicas(status: EndpointStatus, sweep: Sweep, at: datetime) -> None:
    """Say whether the live revision's replicas run, by what the node reported last."""
    if status.live is None or status.node is None:
        return
    key, endpoint = (AlertKind.REPLICAS, status.endpoint.pk), status.endpoint
    if not status.node.alive:
        sweep.unknown.add(key)
        return
    row = reported_revisions(endpoint.target.node).get(status.live.revision.pk)
    fault = replicas_fault(row, wanted_replicas(status.live.revision), at)
    if (since := status.node.unreached_since) is not None:
        fault = unreached_fault(status.node.unreached, since, at) or fault or None
    if fault is None:
        sweep.unknown.add(key)
    elif fault:
        version = status.live.revision.bento.version
        sweep.findings.append(
            AlertFinding(
                AlertKind.REPLICAS,
                subject=endpoint.pk,
                about=name_of(endpoint),
                summary=f"{version} on {endpoint.target}: {fault}",
                endpoint=endpoint,
                revision=status.live.revision.pk,
                owner=owner_of(endpoint),
            )
        )


def judge_stable(status: EndpointStatus, sweep: Sweep) -> None:
    """Say where another revision has all requests because the live one does not answer."""
    live, endpoint = status.live, status.endpoint
    if live is None or status.node is None:
        return
    if not status.node.alive:
        sweep.unknown.add((AlertKind.STABLE_DOWN, endpoint.pk))
        return
    others = [r for r in status.revisions if r.weight > r.revision.weight and r is not live]
    if live.answers or not others:
        return
    (standing_in, *_) = others
    why = f"; the node says {live.phase}{': ' if live.detail else ''}{live.detail}"
    summary = (
        f"{live.revision.bento.version}, which is live on {endpoint.target}, does not answer"
        f"{why if live.phase else ''}. All requests go to {standing_in.revision.bento.version}, "
        f"which was to get {standing_in.revision.weight / 100:g}%."
    )
    sweep.findings.append(
        AlertFinding(
            AlertKind.STABLE_DOWN,
            subject=endpoint.pk,
            about=name_of(endpoint),
            summary=summary,
            endpoint=endpoint,
            revision=live.revision.pk,
            owner=owner_of(endpoint),
        )
    )


def judge_nodes(sweep: Sweep, at: datetime) -> None:
    """Say which nodes have stopped reporting."""
    for node in _silent(at).select_related("target").order_by("pk"):
        sweep.findings.append(
            AlertFinding(
                AlertKind.NODE_SILENT,
                subject=node.target_id,
                about=node.target.name,
                summary=f"The node of {node.target} last reported at "
                f"{node.heard_at:%Y-%m-%d %H:%M:%S} UTC. It goes on serving what it was told "
                "last; its figures and replicas are unknown.",
            )
        )


def _silent(at: datetime) -> QuerySet[Node]:
    limit = at - timedelta(seconds=SILENT_SECONDS)
    return Node.objects.alias(heard=HEARD_AT).filter(heard__lt=limit)


def judge_errors(sweep: Sweep, at: datetime) -> None:
    """Say what nodes cannot do, above all serve. What a silent one said last is not known now."""
    for node in _erring().select_related("target").order_by("pk"):
        if not (status := node_status(node, at)).alive:
            sweep.unknown.add((AlertKind.NODE_ERROR, node.target_id))
        elif fault := node_fault(status.errors, node.errors_since, at):
            sweep.findings.append(
                AlertFinding(
                    AlertKind.NODE_ERROR,
                    subject=node.target_id,
                    about=node.target.name,
                    summary=f"The node of {node.target} says {fault}",
                )
            )


def _erring() -> QuerySet[Node]:
    return Node.objects.exclude(errors_since={}, left_out=[])


def judge_log(sweep: Sweep) -> None:
    """Say what nodes hold of the log that is not in this database: it was put back, or cut."""
    keys = checkpoint.log_keys(ring())

    def look(node: Node) -> None:
        with suppress(Refused):  # signed by nobody of ours, so it says nothing about our log
            head = checkpoint.verify(str(node.report.get("checkpoint")), keys)
            log_fault(missing_on(f"The node of {node.target}", head.size), subject=node.pk)

    each(look, _ahead().select_related("target"), sweep.faults)


def _ahead() -> QuerySet[Node]:
    return Node.objects.filter(fault="checkpoint_ahead")


def missing_on(who: str, seen: int) -> str:
    """Name the events that ``who`` holds a checkpoint of and this database does not."""
    size = log_size()
    if seen > size:
        return rules_of_log.gap(f"{who} holds a checkpoint over", seen, size)
    return rules_of_log.fork(who, seen)


def schedules_failing() -> list[AlertFinding]:
    """Return the schedules whose last runs all failed."""
    names = list(timetables())
    with connection.cursor() as cursor:
        cursor.execute(LAST_RUNS, [names, FAILURES_IN_A_ROW, FAILURES_IN_A_ROW])
        rows = cursor.fetchall()
    return [
        AlertFinding(
            AlertKind.SCHEDULE_FAILING,
            subject=kind,
            about=kind,
            summary=f"The last {FAILURES_IN_A_ROW} runs failed: {error}",
        )
        for kind, error in rows
    ]


LAST_RUNS = """
SELECT kind, max(error) FROM (
  SELECT kind, state, error, row_number() OVER (PARTITION BY kind ORDER BY due_at DESC) AS rank
  FROM jobs_job WHERE kind = ANY(%s) AND finished_at IS NOT NULL
) AS runs WHERE rank <= %s
GROUP BY kind HAVING bool_and(state = 'failed') AND count(*) = %s
"""


def jobs_failed(at: datetime) -> list[AlertFinding]:
    """Return the kinds of jobs that failed for good since somebody last resolved their alert."""
    failed = Job.objects.filter(state=JobState.FAILED, finished_at__gte=at - LOOK_BACK)
    failed = failed.exclude(kind__in=[*timetables(), *OWN_STATE]).order_by("finished_at")
    newest = {job.kind: job for job in failed}
    seen: dict[str, datetime] = {}
    earlier = Alert.objects.filter(kind=AlertKind.JOB_FAILED, subject__in=newest)
    for alert in earlier.order_by("opened_at"):
        seen[alert.subject] = alert.opened_at
    return [
        AlertFinding(
            AlertKind.JOB_FAILED,
            subject=kind,
            about=kind,
            summary=f"{job.pk} gave up after {job.attempts} attempts: {job.error}",
        )
        for kind, job in newest.items()
        if job.finished_at and (kind not in seen or job.finished_at > seen[kind])
    ]


def log_fault(sentence: str, *, subject: str = "log") -> None:
    """Open the alert that the audit log does not verify, as itself or as ``subject`` (a witness,
    a node) shows."""
    open_alert(
        AlertFinding(AlertKind.LOG_FAULT, subject=subject, about="Audit log", summary=sentence),
        actor=SYSTEM,
    )
