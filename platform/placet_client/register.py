"""Registers a folder as a new version: facts, files, metrics, and the end of its being a draft."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from placet_client.client import Client, PlacetError

FACTS = ("format", "python_version", "requirements", "parameters", "lineage", "signature",
         "example", "expected", "tags", "card")  # fmt: skip
Progress = Callable[[str, int, int], None]


def register(
    client: Client, project: str, name: str, folder: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Make a finalised version of model ``name`` from ``folder`` and return it.

    ``version.json`` in the folder holds the facts and ``metrics``; an MLflow folder needs none.
    The model is made when it is missing. Interrupted, it leaves a draft; nothing is half-frozen.
    """
    if not folder.is_dir():
        raise PlacetError(0, "no_folder", f"{folder} is not a folder")
    facts = read_facts(folder)
    metrics = facts.pop("metrics", None)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "version.json"]
    if not files:
        raise PlacetError(0, "no_files", f"{folder} holds no model files")
    ensure_model(client, project, name)
    made = client.post(f"/projects/{project}/models/{name}/versions", facts)
    path = f"/projects/{project}/models/{name}/versions/{made['number']}"
    for file in files:
        inside = file.relative_to(folder).as_posix()
        client.upload(path, file, inside, progress=_of(progress, inside))
    if metrics:
        client.post(f"{path}/evidence", {"kind": "metrics", "data": metrics})
    return client.post(f"{path}/finalise")


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what ``version.json`` says; an MLflow folder may be without one."""
    path = folder / "version.json"
    if not path.exists():
        if (folder / "MLmodel").exists():
            return {"format": "mlflow"}
        raise PlacetError(0, "no_facts", f"{folder} has neither version.json nor MLmodel")
    try:
        facts: Any = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise PlacetError(0, "bad_facts", f"{path}: {error}") from None
    unknown = sorted(set(facts) - {*FACTS, "metrics"}) if isinstance(facts, dict) else ["/"]
    if unknown:
        raise PlacetError(0, "bad_facts", f"{path}: unknown entries: {', '.join(unknown)}")
    return dict(facts)


def ensure_model(client: Client, project: str, name: str) -> None:
    """Make the model when it is missing."""
    try:
        client.get(f"/projects/{project}/models/{name}")
    except PlacetError as error:
        if error.status != 404:
            raise
        client.post(f"/projects/{project}/models", {"name": name})


def _of(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda sent, size: progress(name, sent, size)
