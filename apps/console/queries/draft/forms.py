"""The forms of what a draft needs, where it comes from, what was measured, and its card."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from apps.console.queries.draft.rows import (
    TypedForm,
    TypedRow,
    by_name,
    read_rows,
    text_of,
    too_long,
    value_of,
)
from apps.registry.actions import DraftFields
from apps.registry.cards import render
from apps.registry.models import ModelVersion
from apps.registry.rules import is_metric, is_parameter

VALUE = ("name", "value")
DATASET = ("name", "digest")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class RuntimeForm(TypedForm):
    """What the model needs to be loaded, as it stands in the form."""

    format: str = ""
    python_version: str = ""
    requirements: str = ""
    variables: str = ""

    @classmethod
    def of(cls, version: ModelVersion) -> "RuntimeForm":
        """Return the form filled in with what the version says."""
        return cls(
            format=version.format,
            python_version=version.python_version,
            requirements="".join(f"{line}\n" for line in version.requirements),
            variables="".join(f"{name}\n" for name in version.variables),
        )

    @classmethod
    def read(cls, data: QueryDict, version: ModelVersion) -> "RuntimeForm":
        """Return the form as it was sent."""
        return cls(
            format=data.get("format", ""),
            python_version=data.get("python_version", ""),
            requirements=data.get("requirements", ""),
            variables=data.get("variables", ""),
        )

    def fields(self) -> DraftFields:
        """Return what the action takes."""
        return DraftFields(
            format=self.format.strip(),
            python_version=self.python_version.strip(),
            requirements=_lines(self.requirements),
            variables=_lines(self.variables),
        )

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside an input; tell whether there is one for it."""
        name, rest = steps[0], steps[1:]
        if name not in ("format", "python_version", "requirements", "variables"):
            return False
        if rest and rest[0].isdecimal():
            detail = f"{_lines(getattr(self, name))[int(rest[0])]}: {detail}"
        self.faults.setdefault(name, []).append(detail)
        return True


@dataclass(slots=True)
class OriginForm(TypedForm):
    """Data, code, run and parameters as they stand in the form."""

    datasets: list[TypedRow] = field(default_factory=list)
    parameters: list[TypedRow] = field(default_factory=list)
    repository: str = ""
    commit: str = ""
    run_id: str = ""
    run_url: str = ""
    parent: str = ""  # is kept: programs give it
    too_large: bool = False

    @property
    def tables(self) -> Mapping[str, list[TypedRow]]:
        """Its two tables."""
        return {"datasets": self.datasets, "parameters": self.parameters}

    @classmethod
    def of(cls, version: ModelVersion) -> "OriginForm":
        """Return the form filled in with what the version says."""
        lineage = version.lineage
        code, run = lineage.get("code") or {}, lineage.get("run") or {}
        run = run if isinstance(run, dict) else {"id": run}
        if too_long(lineage, version.parameters):
            return cls(too_large=True)
        return cls(
            datasets=[TypedRow({n: d.get(n, "") for n in DATASET}) for d in _datasets(lineage)],
            parameters=value_rows(version.parameters),
            repository=code.get("repository", ""),
            commit=code.get("commit", ""),
            run_id=run.get("id", ""),
            run_url=run.get("url", ""),
            parent=lineage.get("parent", ""),
        )

    @classmethod
    def read(cls, data: QueryDict, version: ModelVersion) -> "OriginForm":
        """Return the form as it was sent."""
        return cls(
            datasets=read_rows(data, "datasets", DATASET, by=DATASET),
            parameters=read_rows(data, "parameters", VALUE, by=VALUE),
            repository=data.get("repository", "").strip(),
            commit=data.get("commit", "").strip(),
            run_id=data.get("run_id", "").strip(),
            run_url=data.get("run_url", "").strip(),
            parent=version.lineage.get("parent", ""),
        )

    def fields(self) -> DraftFields:
        """Return what the action takes. Raises where a parameter stands twice."""
        lineage: dict[str, Any] = {
            "datasets": [_dataset(row.cells) for row in self.datasets],
            "code": _filled(repository=self.repository, commit=self.commit),
            "run": _filled(id=self.run_id, url=self.run_url),
            "parent": self.parent,
        }
        return DraftFields(
            lineage={name: said for name, said in lineage.items() if said},
            parameters=by_name(self.parameters, value_of, "/parameters"),
        )

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside an input; tell whether there is one for it."""
        match steps:
            case ["lineage", "datasets", position, *cell]:
                self.datasets[int(position)].blame(cell[0] if cell else "name", detail)
            case ["lineage", "code", name]:
                self.faults.setdefault(name, []).append(detail)
            case ["lineage", "run", name]:
                self.faults.setdefault(f"run_{name}", []).append(detail)
            case ["parameters", name, *_]:
                return blame_named(self.parameters, name, detail, is_parameter)
            case _:
                return False
        return True


@dataclass(slots=True)
class MetricsForm(TypedForm):
    """Metrics as they stand in the form."""

    metrics: list[TypedRow] = field(default_factory=list)

    @property
    def tables(self) -> Mapping[str, list[TypedRow]]:
        """Its table."""
        return {"metrics": self.metrics}

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> "MetricsForm":
        """Return the form filled in with the newest metrics."""
        return cls(metrics=value_rows(metrics))

    @classmethod
    def read(cls, data: QueryDict, version: ModelVersion) -> "MetricsForm":
        """Return the form as it was sent."""
        return cls(metrics=read_rows(data, "metrics", VALUE, by=VALUE))

    def data(self) -> dict[str, Any]:
        """Return the metrics by name. Raises where one stands twice."""
        return by_name(self.metrics, value_of, "/data")

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside an input; tell whether there is one for it."""
        match steps:
            case ["data", name, *_]:
                return blame_named(self.metrics, name, detail, is_metric)
            case ["data"]:
                self.faults.setdefault("metrics", []).append(detail)
                return True
        return False


@dataclass(slots=True)
class CardForm(TypedForm):
    """The model card as it stands in the form: a template where there is none yet."""

    card: str = ""
    preview: SafeString | None = None

    @classmethod
    def of(cls, version: ModelVersion) -> "CardForm":
        """Return the form filled in with the version's card."""
        return cls(card=version.card or card_template())

    @classmethod
    def read(cls, data: QueryDict, version: ModelVersion) -> "CardForm":
        """Return the form as it was sent; with how it would look where that was asked."""
        card = data.get("card", "").replace("\r\n", "\n")
        form = cls(card=card)
        if "preview" in data:  # render sanitises: what it returns is safe to show as it is
            form.preview = mark_safe(render(card))  # noqa: S308
        return form

    def rearrange(self, data: QueryDict) -> bool:
        """Tell whether a button asked how it would look, and no more."""
        return "preview" in data

    def differs(self, stored: TypedForm) -> bool:
        """Tell whether another text is stored: a preview alone changes none."""
        return not isinstance(stored, CardForm) or self.card != stored.card

    def text(self) -> str:
        """Return the card; the template alone says nothing, and is none."""
        return "" if self.card.strip() == card_template().strip() else self.card

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside the text."""
        self.faults.setdefault("card", []).append(detail)
        return True


def card_template() -> str:
    """Return what a model card may begin with: its headings, and what to say below each."""
    return render_to_string("console/draft/card.md")


def value_rows(values: Mapping[str, Any]) -> list[TypedRow]:
    """Return a row for each name and its value."""
    return [TypedRow({"name": name, "value": text_of(value)}) for name, value in values.items()]


def blame_named(
    rows: Sequence[TypedRow], name: str, detail: str, is_name: Callable[[str], bool]
) -> bool:
    """Say what is wrong beside the value of the row called so; beside its name where nothing may be
    called so, or where it stands twice, the second time."""
    same = [row for row in rows if row.cells["name"].strip() == name]
    at = "value" if len(same) == 1 and is_name(name) else "name"
    for row in same[-1:]:
        row.blame(at, detail)
    return bool(same)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _datasets(lineage: Mapping[str, Any]) -> list[dict[str, str]]:
    return lineage.get("datasets") or []


def _dataset(cells: Mapping[str, str]) -> dict[str, str]:
    digest = cells["digest"].strip().lower()
    prefix = "sha256:" if _HEX.fullmatch(digest) else ""
    return {"name": cells["name"].strip(), "digest": prefix + digest}


def _filled(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
