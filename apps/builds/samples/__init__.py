"""The sample models, as ``examples/samples.py`` wrote them into folders beside this file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLUG = "samples"
NAME = "Samples"
DESCRIPTION = (
    "Sample data: four small models of four trades, in three versions each, to look around in."
)
FOLDER = Path(__file__).parent
GRAPH = "model.onnx"


@dataclass(frozen=True, slots=True)
class SampleVersion:
    """A version: what Placet is told of it, the evidence by its kind, and where its file is."""

    facts: dict[str, Any]
    evidence: dict[str, dict[str, Any]]
    file: Path


@dataclass(frozen=True, slots=True)
class SampleModel:
    """A model with its versions, the oldest first."""

    name: str
    description: str
    versions: list[SampleVersion]


def sample_models() -> list[SampleModel]:
    """Read the sample models, by name."""
    return [_model(file.parent) for file in sorted(FOLDER.glob("*/model.json"))]


def _model(folder: Path) -> SampleModel:
    said = json.loads((folder / "model.json").read_text("utf-8"))
    versions = [_version(file.parent) for file in sorted(folder.glob("*/version.json"))]
    return SampleModel(folder.name, said["description"], versions)


def _version(folder: Path) -> SampleVersion:
    facts = json.loads((folder / "version.json").read_text("utf-8"))
    evidence = {"metrics": facts.pop("metrics")} | facts.pop("evidence")
    return SampleVersion(facts, evidence, folder / GRAPH)
