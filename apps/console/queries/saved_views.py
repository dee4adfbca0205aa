"""The views of a list that its reader saved, and what of an address is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from apps.identity.models import SavedView
from apps.identity.queries import own_views
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput

# What a view of each list is made of, by the name of its route.
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "models": ("project", "q", "sort"),
    "releases": ("project", "state", "who", "environment", "sort"),
    "endpoints": ("project", "isolation", "sort"),
    "alerts": ("project", "sort"),
    "recalls": ("project", "state", "sort"),
    "administration": ("q", "show", "sort"),
    "all-tokens": ("q", "show", "sort"),
}


@dataclass(frozen=True, slots=True)
class SavedViewRow:
    """One view above its list."""

    view: SavedView
    is_shown: bool

    @property
    def url(self) -> str:
        """The list as the view shows it; of what the list does not know any more nothing."""
        asked = _known(self.view.list_name, self.view.asked)
        return f"{reverse(self.view.list_name)}?{urlencode(asked)}"

    @property
    def deletes(self) -> str:
        """What the button beside it does."""
        return f"Delete the view {self.view.name}"


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The views of one list, and what its page shows now."""

    list_name: str
    rows: Sequence[SavedViewRow]
    asked: Mapping[str, str]

    @property
    def may_save(self) -> bool:
        """Whether what is shown is narrowed or sorted, by more than the project that one stands
        in, and no view yet."""
        own = self.asked.keys() - {"project"}
        return bool(own) and not any(row.is_shown for row in self.rows)


def saved_views(list_name: str, given: Mapping[str, str], actor: Actor) -> SavedViews:
    """Return the views that ``actor`` saved of a list, whose address has the parameters ``given``
    (one query)."""
    asked = _known(list_name, given)
    views = own_views(actor).filter(list_name=list_name)
    return SavedViews(list_name, [SavedViewRow(view, view.asked == asked) for view in views], asked)


def asked_of(list_name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return what a view of a list is made of, or refuse a list that has none."""
    if list_name not in PARAMETERS:
        raise InvalidInput(errors=[FieldError("/list", "No list of which views are saved")])
    return _known(list_name, given)


def _known(list_name: str, given: Mapping[str, str]) -> dict[str, str]:
    values = {name: given.get(name, "").strip() for name in PARAMETERS[list_name]}
    return {name: value for name, value in values.items() if value}
