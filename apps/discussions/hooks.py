"""Where apps above say what of theirs is discussed, and who may see and discuss it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from placet.kernel.actor import Scope
from placet.kernel.hooks import Hook


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is discussed, as its app names it.

    ``project`` is the id of its project, '' for what belongs to the installation; ``environment``
    the name of its environment there, '' for what belongs to the project as a whole.
    """

    kind: "SubjectKind"
    id: str
    project: str
    environment: str
    title: str

    @property
    def scope(self) -> Scope:
        """Where it stands."""
        return Scope(self.project or None, self.environment or None)


@dataclass(frozen=True, slots=True)
class SubjectKind:
    """A kind of things that are discussed.

    ``view`` and ``write`` are the permissions to see one and to say something about it. ``parts``
    are what an anchor may begin with, and ``names`` returns what there is by name in such a part of
    one. ``find`` returns those that there are, by id, whoever asks.
    """

    name: str
    noun: str
    view: str
    write: str
    parts: tuple[str, ...]
    find: Callable[["SubjectKind", Collection[str]], Iterable[Subject]]
    names: Callable[[Subject, str], Collection[str]] = lambda subject, part: ()


@Hook
def subject_kinds() -> tuple[SubjectKind, ...]:
    """Name the kinds of things that are discussed; this app itself has none."""
    return ()


def kinds() -> dict[str, SubjectKind]:
    """Return all of them by name."""
    return {kind.name: kind for some in subject_kinds() for kind in some}
