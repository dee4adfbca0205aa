"""The page of a project with how long its releases take, who is waited for, and what goes wrong."""

from dataclasses import dataclass

from apps.assurance.queries.figures import DAYS, MOST, SHOWN, WAITING, Figures, figures
from apps.console.queries.project_page import ProjectHead
from apps.identity.models import Project
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class FiguresPage:
    """The figures, for a reader."""

    head: ProjectHead
    found: Figures

    @property
    def periods(self) -> list[tuple[str, str]]:
        """How far back one may look."""
        return days_choices()

    @property
    def period(self) -> str:
        """How far back it is looked."""
        return str(self.found.days)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it happened since."""
        found = self.found
        return not (found.places or found.people or found.gates)

    @property
    def left_out(self) -> str:
        """What is not counted or not shown; '' where all is."""
        if self.found.is_cut:
            return f"Only the newest {MOST:,} releases, rollouts and decisions are counted."
        lists = (self.found.places, self.found.people, self.found.gates, self.found.teams)
        return f"Each list ends after {SHOWN} rows." if SHOWN in map(len, lists) else ""

    @property
    def looked_at(self) -> str:
        """Of how many waiting releases the gates were read, where that may not be all."""
        return f"Of the {WAITING} releases that wait longest." if self.found.more_wait else ""


def figures_page(project: Project, actor: Actor, *, days: int) -> FiguresPage:
    """Return what the page of a project's figures shows, in seven queries."""
    return FiguresPage(ProjectHead(project, actor), figures(project, actor, days=days))


def days_choices() -> list[tuple[str, str]]:
    """Return how far back one may look, in days and in words."""
    return [(str(days), f"Last {days} days") for days in DAYS]
