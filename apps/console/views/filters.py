"""Filters of a list that ask for what is not there: said at the field, and nothing is listed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import HttpResponse

from apps.console.queries.models import projects_of
from apps.console.views.base import PageRequest, show
from placet.kernel.filters import UNSEEN

Options = Sequence[tuple[str, str]]
NAMED = 12  # as many as are named one by one


@dataclass(frozen=True, slots=True)
class RefusedFilter:
    """A filter with a value that is none of its ``options``."""

    name: str
    given: str
    options: Options

    @property
    def label(self) -> str:
        """What stands above its field."""
        return self.name.capitalize()

    @property
    def texts(self) -> list[str]:
        """What is wrong with it, and what may be given."""
        if self.name == "project":
            return [f"{UNSEEN}: choose one of the list"]
        if not self.options:
            return [f"You see no {self.name} with this ID"]
        words = [word for _, word in self.options]
        few = f": {', '.join(words)}" if 0 < len(words) <= NAMED else ""
        return [f"Choose one of the list{few}"]


def refused(
    request: PageRequest, title: str, **offered: Callable[[], Options]
) -> HttpResponse | None:
    """Answer with a form that says what is wrong where a filter is given a value that is not among
    those ``offered``; ``None`` where all are there. The rest of what was asked for is kept.

    A list that showed everything instead would pass for what was asked for, and so would its
    export. What is offered is read of those filters alone that are given.
    """
    given = {name: str(value) for name, value in request.GET.items() if value}
    faults = [
        RefusedFilter(name, given[name], options)
        for name, read in offered.items()
        if name in given and given[name] not in dict(options := read())
    ]
    if not faults:
        return None
    wrong = {fault.name for fault in faults} | {"after"}
    kept = [(name, value) for name, value in given.items() if name not in wrong]
    answer = show(request, "refused_filters", title=title, faults=faults, kept=kept)
    answer.status_code = 400
    return answer


def project_options(request: PageRequest) -> Callable[[], Options]:
    """Return what reads the projects to choose from."""
    return lambda: [(row.slug, row.name) for row in projects_of(request.actor)]
