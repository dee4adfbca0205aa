"""Where apps above take part in what serving does: they know environments, releases and recalls."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Subquery

from apps.audit.actions import Recorder
from apps.builds.models import Bento
from apps.serving.errors import Recalled
from apps.serving.models import Endpoint, Node, Target
from apps.serving.rules import PRESENT, EndpointState, Trouble
from placet.kernel.actor import Actor
from placet.kernel.hooks import Hook, Slot
from placet_protocol.report import Report
from placet_verify.recalls import Uncounted


@Hook
def endpoint_created(endpoint: Endpoint) -> None:
    """Refuse a new endpoint by raising: called in the transaction that makes it, before it is
    saved, while its project is held.

    For apps that know which environments there are, and what may run where.
    """


@Hook
def has_environment(project_id: str, name: str) -> bool:
    """Tell whether a project has an environment of this name.

    For the app that knows which environments there are: this one knows of none.
    """
    return False


@Hook
def endpoint_needed(endpoint: Endpoint) -> str:
    """Say why an endpoint cannot be deleted, '' when nothing keeps it: asked in the transaction
    that deletes it, which holds its row.

    For apps that may be on their way to it. This app says what runs there. What is stopped runs
    nowhere, though it could be started again.
    """
    if endpoint.state == EndpointState.STOPPED:
        return ""
    row = endpoint.revisions.filter(state__in=PRESENT).order_by("-weight", "-number").first()
    return f"Revision {row.number} is {row.state}: stop the endpoint first" if row else ""


@Hook
def endpoint_deleted(endpoint: Endpoint, actor: Actor) -> None:
    """End what depends on an endpoint that goes: called in the transaction that deletes it, which
    holds its row, when its revisions have stopped and its row does not say yet that it is deleted.

    For apps whose rows mean nothing without it.
    """


@Hook
def endpoint_started(endpoint: Endpoint, actor: Actor) -> None:
    """Follow an endpoint that was stopped and serves again: called in the transaction that starts
    it, which holds its row.

    For apps that count how long something serves.
    """


@Hook
def stops_when_expired(target: Target) -> bool:
    """Tell whether the node of a target stops past the end of its state: asked whenever that is
    composed, by a worker. It does when anybody says so.

    For apps whose rows know what serves there; this app knows the target's own wish.
    """
    return target.on_expired == "stop"


class Keeper(Protocol):
    """Who keeps the recalls: one app above, which must be there. Asked inside the unit of work of
    whoever wants something to run or to count."""

    def refusal(self, bento: Bento) -> str:
        """Return why a Bento must not run, in a sentence; '' when it may."""

    def listed(self, bento: str) -> ArraySubquery:
        """Return the recalls that name a Bento, as a column of a query; ``bento`` is the lookup of
        its digest there."""

    def sentence(self, found: Sequence[Mapping[str, str]]) -> str:
        """Return why what :meth:`listed` found must not run; '' when it found nothing."""

    def uncounted(self) -> Uncounted:
        """Return whose signatures on permits do not count now."""

    def uncounts(self, person: Any) -> Exists:
        """Return the condition that the decisions of a person do not count now, who is given by the
        expression for their id."""

    def took_back(self, *, standing: bool = False) -> Subquery:
        """Return the first recall that took back what somebody had signed before, with its ``id``,
        ``project`` and when (``at``), as a column of a query that reads signatures; of those alone
        that nobody has withdrawn where it is to be ``standing``."""

    def told(self, target: Target) -> dict[str, list[Any]]:
        """Return what the node of ``target`` is told of recalls: members of its state."""

    def heard(self, node: Node, report: Report, log: Recorder) -> None:
        """Take in what a node signed, in the transaction that takes its report."""

    def that_ended(self) -> Subquery:
        """Return the recall that ended a revision, as a column of a query that reads it."""

    def that_revoked(self) -> Subquery:
        """Return the recall that revoked a release, as a column of a query that reads it."""

    def told_to(
        self, found: Iterable[Mapping[str, Any]], actor: Actor
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return by its id who made a recall, when and why, of those that these columns hold and
        that ``actor`` may see."""

    def events(self, release: str, bento: str, endpoint: Endpoint) -> dict[int, str]:
        """Return the events, by index, that show what nodes signed about a release, and what
        takes it or its Bento back."""


keeper = Slot[Keeper]("what is recalled")


class Watcher(Protocol):
    """Who watches what serves: one app above, which must be there."""

    def troubles(self, endpoint: str) -> ArraySubquery:
        """Return what is wrong with an endpoint now, as a column of a query; ``endpoint`` is the
        lookup of its id there."""

    def read(self, found: Sequence[Mapping[str, str]]) -> tuple[Trouble, ...]:
        """Return in words what :meth:`troubles` found, the worst first."""


watcher = Slot[Watcher]("what is wrong with what serves")


class Mover(Protocol):
    """Who moves endpoints from one revision to the next: one app above, which must be there."""

    def aborted(self) -> Exists:
        """Tell of a revision whether its rollout was aborted, so that nothing of it failed, as a
        column of a query that reads it."""


mover = Slot[Mover]("what moves endpoints")


def refuse_recalled(bento: Bento) -> None:
    """Raise :class:`Recalled` when ``bento`` must not run."""
    if why := keeper().refusal(bento):
        raise Recalled(why)
