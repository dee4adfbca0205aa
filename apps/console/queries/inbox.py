"""What waits for a person: emergencies to sign or review, releases to decide on, change or roll
out, paused rollouts, policy drafts, mentions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.console.queries.draft_tasks import DraftTask, StuckDraft, draft_tasks, stuck_drafts
from apps.console.queries.home_page import (
    GlassTask,
    PausedRow,
    StuckRow,
    glass_tasks,
    paused_rows,
    paused_title,
    stuck_row,
    what_stands_still,
)
from apps.console.queries.own_releases import (
    HeldByReader,
    OwnRequest,
    Startable,
    ToChange,
    followed,
    requests_title,
)
from apps.console.queries.page_parts import without_role
from apps.discussions.queries import listed_threads, sees_thread
from apps.governance import gates
from apps.governance.queries.by_clock import gates_now
from apps.governance.queries.visible_rows import INBOX_LIMIT, Waiting, waiting_on
from apps.identity.queries import as_owner, sees_in
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Everything that waits for its reader."""

    inbox: Waiting
    startable: Sequence[Startable]
    requests: Sequence[OwnRequest]
    changes: Sequence[ToChange]
    holding: Sequence[HeldByReader]
    paused: list[PausedRow]
    drafts: list[DraftTask]
    mentions: list[Any]  # threads, as listed_threads reads them
    glasses: list[GlassTask]
    stuck: list[StuckRow]  # as home has it
    stuck_drafts: list[StuckDraft]
    why: str  # nothing can wait for the reader, who has no role that counts; '' for who has one

    @property
    def cut(self) -> str:
        """What is said where more wait than are looked at."""
        if not self.inbox.is_cut:
            return ""
        which = f"These are {INBOX_LIMIT}: those that you are asked for by name, then the oldest."
        return f"{which} Newer ones come as they are decided."

    @property
    def requests_title(self) -> str:
        """What stands above them."""
        return requests_title(self.requests)

    @property
    def paused_title(self) -> str:
        """What stands above the rollouts that wait."""
        return paused_title(self.paused)

    @property
    def size(self) -> int:
        """How many things there are that the reader can do now."""
        releases = len(self.inbox.needed) + len(self.startable) + len(self.changes)
        others = (self.paused, self.drafts, self.mentions, self.glasses)
        return releases + sum(len(rows) for rows in others)

    @property
    def empty_title(self) -> str:
        """What is said where nothing is listed."""
        return "Nothing waits for you" if self.why else "You're all caught up"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is listed: where others have to decide, or nobody could, that says what
        the reader has to."""
        others = (self.inbox.barred, self.holding, self.stuck, self.stuck_drafts)
        return not (self.size or any(others))


def inbox_page(inbox: Waiting, actor: Actor) -> InboxPage:
    """Return what waits for ``actor`` and what became of their requests, in five queries beside
    ``inbox``, or six."""
    releases = followed(actor)
    still = what_stands_still(inbox, releases, actor)
    return InboxPage(
        inbox=inbox,
        startable=releases.startable,
        requests=releases.own,
        changes=releases.changes,
        holding=releases.holding,
        paused=paused_rows(actor),
        drafts=draft_tasks(still.drafts, actor),
        mentions=listed_threads(actor),
        glasses=glass_tasks(inbox, actor),
        stuck=[stuck_row(row, actor) for row in still.stuck],
        stuck_drafts=stuck_drafts(still.followed, actor),
        why=without_role(actor),
    )


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that waits for a person, in words, and the page on which they do it."""

    kind: str  # of TASKS, or MENTION
    id: str
    title: str
    detail: str
    since: datetime | None
    url: str


TASKS = {  # by their kinds: the permission that shows what they are about
    "emergency": "release.view",
    "decision": "release.view",
    "changes": "release.view",
    "held": "release.view",
    "start": "release.view",
    "rollout": "rollout.view",
    "policy": "policy.view",
}
MENTION = "mention"  # of whatever one sees


def tasks_of(actor: Actor) -> list[Task]:
    """Return what the inbox of a person lists, in its order; for their token as much of it as that
    may see."""
    owner = as_owner(actor)
    page = inbox_page(waiting_on(owner), owner)
    told = draft_tasks([waits.row for waits in page.drafts], actor)  # a token may see less of it
    page = replace(page, drafts=told)
    listed = [task for place, task in _tasks(page) if sees_in(place, TASKS[task.kind], actor)]
    return listed + [_of_thread(row) for row in page.mentions if sees_thread(row, actor)]


def _tasks(page: InboxPage) -> Iterator[tuple[str, Task]]:
    """Yield each task with the project that it is in."""
    for waiting in page.glasses:
        told = waiting.told
        detail = f"{told['name']}, emergency release: {waiting.what}"
        url = reverse("glass", args=[told["id"]])
        task = Task("emergency", told["id"], waiting.title, detail, waiting.since, url)
        yield told["project"], task
    for needed in page.inbox.needed:
        row: Any = needed
        what = f"Needs your decision ({row.by_name.told})" if row.by_name else "Needs your decision"
        failing = gates.failing(gates_now(row))
        what = ". ".join(filter(None, (what, row.too_few_people, failing)))
        yield row.project_id, _of_release("decision", row, what, row.created_at)
    for row, why in page.inbox.barred:
        yield row.project_id, _of_release("decision", row, why, row.created_at)
    for kind, held_up in (("changes", page.changes), ("held", page.holding)):
        for one in held_up:
            what = ". ".join(filter(None, (one.says, one.said)))
            yield one.release.project_id, _of_release(kind, one.release, what, one.since)
    for startable in page.startable:
        row = startable.release
        name = row.endpoint.name
        ready = f"Ready to roll out. {startable.newer}" if startable.newer else "Ready to roll out"
        what = f"Waits for {name} to be started" if startable.stop else ready
        yield row.project_id, _of_release("start", row, what, row.approved_at)
    for paused in page.paused:
        rollout, url = paused.rollout, reverse("rollout", args=[paused.rollout.pk])
        at = rollout.endpoint
        title = _title(rollout.to_revision.bento.version, at.environment, at.name)
        task = Task("rollout", rollout.pk, title, paused.what, paused.since, url)
        yield rollout.project_id, task
    for waits in page.drafts:
        draft, place = waits.row, waits.row.environment
        url = reverse("policies", args=[place.project.slug, place.name])
        title, where = f"Policy r{draft.number} of {place.name}", place.project.name
        detail = f"{where}: {waits.does}"
        yield draft.project_id, Task("policy", draft.pk, title, detail, draft.created_at, url)


def _of_thread(thread: Any) -> Task:
    detail = f"{thread.mentioned_by} mentioned you in discussion {thread.number}"
    url = reverse("thread", args=[thread.pk])
    return Task(MENTION, thread.pk, thread.title, detail, thread.mentioned_at, url)


def _of_release(kind: str, release: Any, what: str, since: datetime | None) -> Task:
    detail = f"{release.project.name}, release {release.number}: {what}"
    url = reverse("release", args=[release.pk])
    title = _title(release.version, release.environment.name, release.endpoint.name)
    return Task(kind, release.pk, title, detail, since, url)


def _title(version: Any, environment: str, endpoint: str) -> str:
    return f"{version} to {environment} / {endpoint}"
