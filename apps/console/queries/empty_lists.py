"""What an empty list says to its reader: that there is nothing, or that they may see nothing."""

from dataclasses import dataclass

from apps.console.queries.page_parts import no_role
from apps.identity.models import Project
from apps.identity.queries import sees_in, visible
from apps.identity.refusals import whom_to_ask
from placet.kernel.actor import Actor, Scope


@dataclass(frozen=True, slots=True)
class EmptyList:
    """A list of ``what`` the permission ``view`` shows, in which nothing is; of one ``project``,
    by id, or of all of them. Whether something hidden is there it never says."""

    actor: Actor
    what: str
    view: str
    project: str = ""

    @property
    def shows_all(self) -> bool:
        """Whether nothing is there that the reader does not see."""
        if self.project:
            return sees_in(self.project, self.view, self.actor)
        return self.actor.can(self.view)

    @property
    def shows_some(self) -> bool:
        """Whether the reader would see what is there, at least in some projects."""
        return self.shows_all if self.project else self.actor.can_somewhere(self.view)

    def title(self, where: str = "in this project") -> str:
        """Return what stands above it; ``where`` says which project it is of, if it is of one."""
        there = f" {where}" if self.project else ""
        if self.shows_all:
            return f"No {self.what}{there} yet"
        return f"No {self.what} that you may see{there}"

    @property
    def why(self) -> str:
        """Say why the reader sees none, and who can change that; '' for who sees all there is."""
        if not self.actor.grants:
            return no_role(self.actor)
        if self.shows_all:
            return ""
        place = Scope(self.project) if self.project else None
        if self.shows_some:
            where = "Listed are those of projects in which you have a role that shows them"
            return f"{where}. {whom_to_ask(self.actor, place, 'a role in others')}"
        ask = whom_to_ask(self.actor, place, "one that does")
        return f"Your roles do not show {self.what}. {ask}"

    def says(self, permission: str, how: str, by: str) -> str:
        """Say ``how`` the first comes about to who has ``permission`` for it, and to others ``by``
        whom; then why the reader may see none."""
        place = Scope(self.project) if self.project else None
        able = self.actor.can(permission, place) if place else self.actor.can_somewhere(permission)
        first = (how if able else by) if self.shows_some else ""
        return " ".join(filter(None, (first, self.why)))


def empty_list(actor: Actor, what: str, view: str, slug: str = "") -> EmptyList:
    """Return an empty list of one project by its ``slug``, as far as ``actor`` sees that (one
    query), or of all of them."""
    rows = Project.objects.filter(slug=slug) if slug else Project.objects.none()
    found = visible(rows, actor, project="pk").values_list("pk", flat=True).first()
    return EmptyList(actor, what, view, found or "")


def empty_releases(actor: Actor, slug: str = "") -> tuple[str, str]:
    """Return what stands where no release is listed: a title, and what to do."""
    found = empty_list(actor, "releases", "release.view", slug)
    how, by = "Open a built version and request one.", "Contributors of a project request releases."
    return found.title(), found.says("release.request", how, by)
