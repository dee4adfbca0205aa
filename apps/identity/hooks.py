"""Where apps above take part in what identity does."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from apps.audit.actions import Recorder
from apps.identity.models import Project, User
from apps.identity.rules import ROLES
from placet.kernel.actor import Actor, Scope
from placet.kernel.hooks import Hook


@Hook
def project_created(project: Project, template: str, actor: Actor) -> None:
    """Carry a new project on: called in the transaction that creates it, after it was saved.

    For apps with something that every project has from its first day. ``template`` names what it
    starts with, '' for what is usual; whoever knows no such name refuses it with a ``Problem``.
    """


@Hook
def person_leaves(person: User, actor: Actor) -> None:
    """End what waits that nobody answers for without ``person``: called in the transaction that
    deactivates them, before that holds their row."""


@Hook
def person_deactivated(person: User, log: Recorder) -> None:
    """End what ends with a person's access: called in the transaction that deactivates them, after
    that was logged. For apps that keep what somebody said of themselves."""


@Hook
def person_erased(person: User) -> None:
    """Delete what nobody can read without the key of an erased person: called in the transaction
    that erases them, after that key was. For apps that keep bytes under it in rows of their own."""


@Hook
def roles_told(actor: Actor, scope: Scope) -> Collection[str]:
    """Return the roles at ``scope`` whose holders ``actor`` may know by name.

    For apps that name to others who holds a role: this one names people to who sees all access.
    """
    return ROLES if actor.can("access.view", scope) else ()


@Hook
def around_more_access(actor: Actor) -> AbstractContextManager[None]:
    """Look on while somebody is let do more than before: see :func:`more_access`.

    For apps to which it matters who may do what. They look before and after, in the transaction of
    the change, and may refuse it with a ``Problem``.
    """
    return nullcontext()


@contextmanager
def more_access(actor: Actor) -> Iterator[None]:
    """Around a change by which somebody may do more than before: every watch looks on.

    Entered before the change locks a row, because changes take turns here: of two at once, neither
    of which opens a way alone, the second sees what the first did.
    """
    with ExitStack() as watches:
        for watch in around_more_access(actor):
            watches.enter_context(watch)
        yield
