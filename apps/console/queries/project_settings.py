"""What may be changed about a project, as the form shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.console.queries.project_page import ProjectHead
from apps.identity.models import Project
from apps.registry.usage import bytes_kept
from placet.kernel.actor import Actor

GIGABYTE = 10**9  # the unit that quotas are typed in


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """A project as its form shows it: as it is, or as it was typed and refused."""

    head: ProjectHead
    typed: Mapping[str, Any]
    kept: int  # bytes of the files of its versions

    @property
    def version(self) -> str:
        """Which state of it the form was made from: another's change since is not undone by it."""
        return str(self.typed.get("version", self.head.project.version))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.typed.get("name", self.head.project.name))

    @property
    def description(self) -> str:
        """What it is for."""
        return str(self.typed.get("description", self.head.project.description))

    @property
    def quota(self) -> str:
        """Its storage quota in GB, '' for none."""
        quota = self.head.project.artifact_quota
        stored = f"{(Decimal(quota) / GIGABYTE).normalize():f}" if quota else ""
        return str(self.typed.get("quota", stored))

    @property
    def may_set_quota(self) -> bool:
        """Whether the reader may edit every project: the quota protects what all share."""
        return self.head.actor.can("project.edit")


def settings_page(project: Project, actor: Actor, typed: Mapping[str, Any]) -> SettingsPage:
    """Return the form that changes a project, filled in with what was ``typed``."""
    head = ProjectHead(project, actor)
    return SettingsPage(head, typed, bytes_kept(project.pk))
