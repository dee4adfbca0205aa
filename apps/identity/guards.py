"""Where higher apps take part in identity's changes without identity knowing them.

A watch compares what is so after a change with what was so before, and may refuse it by raising a
``Problem``; a hook carries a new project on. Both run inside the transaction of the action. They
are registered in ``AppConfig.ready()``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apps.identity.models import Project
from placet.kernel.actor import Actor

ProjectHook = Callable[[Project, Actor], None]
# looks at how things stand; what it returns is called when they have changed, and may refuse
Watch = Callable[[Actor], Callable[[], None]]
_watches: list[Watch] = []
_project_hooks: list[ProjectHook] = []


def on_more_access(watch: Watch) -> Watch:
    """Have ``watch`` look before and after every change by which somebody may do more."""
    if watch not in _watches:
        _watches.append(watch)
    return watch


@contextmanager
def more_access(actor: Actor) -> Iterator[None]:
    """Around a change by which somebody may do more than before: every watch looks on.

    Entered before the change locks a row, because changes take turns here: of two at once, neither
    of which opens a way alone, the second sees what the first did.
    """
    compare = [watch(actor) for watch in _watches]
    yield
    for refuse in compare:
        refuse()


def on_project_created(hook: ProjectHook) -> ProjectHook:
    """Have ``hook(project, actor)`` called inside the transaction that creates a project."""
    if hook not in _project_hooks:
        _project_hooks.append(hook)
    return hook


def project_created(project: Project, actor: Actor) -> None:
    """Call every project hook."""
    for hook in _project_hooks:
        hook(project, actor)
