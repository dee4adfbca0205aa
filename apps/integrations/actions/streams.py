"""Streams as people set them up.

Who may add one (``stream.manage``) need not be allowed to read the log. So a stream sends nothing
before somebody who may take a copy of what it carries (``audit.export``) lets it begin; where it
goes cannot be changed afterwards.
"""

from apps.audit.actions import Recorder, record
from apps.audit.queries import log_size
from apps.identity.actions.checks import unique
from apps.identity.actions.projects import slug_or_refuse
from apps.identity.models import Project
from apps.identity.queries import authorize, scope_of
from apps.identity.sign_in.freshness import demand_fresh
from apps.integrations.errors import StreamMoved
from apps.integrations.events import (
    STREAM_ADDED,
    STREAM_PAUSED,
    STREAM_REMOVED,
    STREAM_REWOUND,
    STREAM_STARTED,
    STREAM_TESTED,
)
from apps.integrations.models import Stream, StreamState
from apps.integrations.rules import StreamTerms, faults
from apps.jobs.actions import enqueue
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput, NotFound, QuotaReached, Stale
from placet.kernel.states import move

START = "audit.export"  # whoever lets events go out may take them out too


def add_stream(
    *,
    name: str,
    terms: StreamTerms,
    project: Project | None = None,
    start: int | None = None,
    actor: Actor,
) -> Stream:
    """Add a stream of the instance, or of ``project``, from event ``start`` on (default: the next).

    Needs ``stream.manage``. It begins at once when ``actor`` also holds ``audit.export`` there.
    """
    with record(actor) as log:
        authorize(actor, "stream.manage", project)
        demand_fresh(actor)
        _check(terms)
        if project is not None:
            _refuse_many(project)
        row = Stream(
            name=slug_or_refuse("name", name),
            kind=terms.kind,
            url=terms.url,
            token_file=terms.token_file,
            ca_file=terms.ca_file,
            cert_file=terms.cert_file,
            alert_after_seconds=terms.alert_after_seconds,
            project=project,
            cursor=_place("start", start, log_size()),
            created_by=actor.id,
        )
        if actor.can(START, scope_of(project)):
            row.state, row.started_by = StreamState.RUNNING, actor.id
        with unique("name"):
            row.save(force_insert=True)
        log.add(STREAM_ADDED, row, data={"format": row.kind})
        if row.state == StreamState.RUNNING:
            _started(row, log)
    return row


def _check(terms: StreamTerms) -> None:
    if field_faults := faults(terms):
        raise InvalidInput(errors=[FieldError(f"/{f.field}", f.detail) for f in field_faults])


def _refuse_many(project: Project) -> None:
    """Count, one by one until the commit: of two at once the second sees the first."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    count, quota = Stream.objects.filter(project=project).count(), config().max_streams
    if count >= quota:
        raise QuotaReached(
            f"{project.slug} has {count:,} streams",
            quota,
            remedy="remove one",
            setting="PLACET_MAX_STREAMS",
        )


def _place(field: str, index: int | None, most: int) -> int:
    """Return ``index`` when it is from 0 to ``most``, which stands for ``None`` too."""
    if index is not None and not 0 <= index <= most:
        raise InvalidInput(errors=[FieldError(f"/{field}", f"From 0 to {most}")])
    return most if index is None else index


def _started(row: Stream, log: Recorder) -> None:
    log.add(STREAM_STARTED, row, data={"cursor": row.cursor})
    enqueue("integrations.deliver", key=row.pk, project=row.project_id, stream=row.pk)


def pause_stream(stream: Stream, *, actor: Actor) -> Stream:
    """Send nothing more until somebody resumes. Needs ``stream.manage``."""
    with record(actor) as log:
        row = _locked(stream, "stream.manage", actor)
        expected = (StreamState.RUNNING, StreamState.FAILING, StreamState.BLOCKED)
        _move(row, expected, StreamState.PAUSED)
        log.add(STREAM_PAUSED, row, data={"cursor": row.cursor})
    return row


def resume_stream(stream: Stream, *, actor: Actor) -> Stream:
    """Let a stream begin or go on, or try again at once. Needs ``audit.export`` where it belongs.

    It goes on at the event that was not delivered: nothing is left out.
    """
    with record(actor) as log:
        row = _locked(stream, START, actor)
        demand_fresh(actor)
        expected = (StreamState.PAUSED, StreamState.FAILING, StreamState.BLOCKED)
        _move(
            row,
            expected,
            StreamState.RUNNING,
            started_by=actor.id,
            failures=0,
            retry_at=None,
            error="",
            batch_limit=0,
        )
        _started(row, log)
    return row


def rewind_stream(stream: Stream, *, index: int, actor: Actor) -> Stream:
    """Send everything from event ``index`` on once more. Needs ``stream.manage``.

    Only back: what was not sent is not left out. The state stays as it is.
    """
    with record(actor) as log:
        row = _locked(stream, "stream.manage", actor)
        before = row.cursor
        row.cursor = _place("index", index, before)
        row.checkpoint = min(row.checkpoint, row.cursor)
        row.generation += 1
        row.save(update_fields=["cursor", "checkpoint", "generation"])
        log.add(STREAM_REWOUND, row, data={"before": before, "cursor": row.cursor})
    return row


def ask_for_test(stream: Stream, *, actor: Actor) -> Stream:
    """Have a job send something that holds nothing of the log. Needs ``stream.manage``."""
    with record(actor) as log:
        row = _locked(stream, "stream.manage", actor)
        log.add(STREAM_TESTED, row)
        enqueue("integrations.test", key=row.pk, project=row.project_id, stream=row.pk)
    return row


def remove_stream(stream: Stream, *, if_generation: int, actor: Actor) -> None:
    """Send nothing more, for good. Needs ``stream.manage``."""
    with record(actor) as log:
        row = _locked(stream, "stream.manage", actor, removed=True)
        if row.generation != if_generation:
            raise Stale
        log.add(STREAM_REMOVED, deleted=(row,), data={"cursor": row.cursor})
        row.delete()


def _locked(stream: Stream, permission: str, actor: Actor, *, removed: bool = False) -> Stream:
    rows = Stream.objects.select_for_update(of=("self",), no_key=not removed)
    rows = rows.select_related("project")
    row = rows.filter(pk=stream.pk).first()
    if row is None:
        raise NotFound
    authorize(actor, permission, row, view="stream.view")
    return row


def _move(row: Stream, expected: tuple[str, ...], to: StreamState, **changes: object) -> None:
    if not move(row, expected=expected, to=to, **changes):
        raise StreamMoved(f"The stream is {row.state}")
