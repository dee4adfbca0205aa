"""Who had a hand in a version: by the log, and as people declared it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.console.queries.actor_names import actor_names
from apps.registry.models import Declaration, DeclaredFact, ModelVersion
from apps.registry.provenance import declared_about, touched_by
from placet.kernel.actor import Actor, Scope


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody who was named, and by whom."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class DeclaredPart:
    """The data set with a digest, or the training code, and who was declared for it."""

    fact: str
    about: str
    title: str
    named: list[Named]
    typed: str = ""  # the person in its form, where that was refused

    @property
    def owned(self) -> bool:
        """Whether somebody owns it; code is written."""
        return self.fact == DeclaredFact.DATA_OWNER

    @property
    def digest(self) -> str:
        """What stands beside its title."""
        return self.about if self.owned else ""

    @property
    def did(self) -> str:
        """Continues the sentence about somebody who was named."""
        return "owner" if self.owned else "author"

    @property
    def nobody(self) -> str:
        """Says that nobody was named."""
        return f"{self.did.capitalize()} not declared"

    @property
    def question(self) -> str:
        """What its form asks."""
        return f"{self.did.capitalize()} (email)"


@dataclass(frozen=True, slots=True)
class ContributorsPage:
    """Everybody who had a hand in a version, as its page shows it."""

    author: str
    touched: list[str]
    parts: list[DeclaredPart]
    may_declare: bool


def contributors_page(
    version: ModelVersion, actor: Actor, typed: Mapping[str, Any]
) -> ContributorsPage:
    """Return who had a hand in ``version`` (a fixed number of queries); ``typed`` is the form that
    was refused."""
    touched = touched_by([version.pk]).get(version.pk, frozenset())
    rows = list(declared_about([version]).order_by("pk"))
    people = {version.author, *touched, *(r.person for r in rows), *(r.declared_by for r in rows)}
    names = actor_names(people)
    scope = Scope(version.project_scope(), version.environment_scope())
    datasets = version.lineage.get("datasets") or []
    parts = [
        DeclaredPart(
            DeclaredFact.DATA_OWNER,
            data["digest"],
            f"Data set {data['name']}",
            _named(rows, DeclaredFact.DATA_OWNER, data["digest"], names),
        )
        for data in datasets
    ]
    code = _named(rows, DeclaredFact.CODE_AUTHOR, version.pk, names)
    parts.append(DeclaredPart(DeclaredFact.CODE_AUTHOR, version.pk, "Training code", code))
    return ContributorsPage(
        author=names.get(version.author, version.author),
        touched=sorted(names.get(person, person) for person in touched),
        parts=[
            replace(part, typed=str(typed.get("person", "")))
            if typed.get("about") == part.about
            else part
            for part in parts
        ],
        may_declare=actor.can("version.edit", scope),
    )


def _named(
    rows: Iterable[Declaration], fact: str, about: str, names: dict[str, str]
) -> list[Named]:
    return [
        Named(names.get(row.person, row.person), names.get(row.declared_by, row.declared_by))
        for row in rows
        if (row.fact, row.about) == (fact, about)
    ]
