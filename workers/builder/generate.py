"""Writes the BentoML project of a version: fixed sources, and the model as data beside them.

Nothing of the version is ever put into Python source or YAML: names of columns may hold whatever
their author liked.
"""

import json
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from apps.registry import formats
from placet_protocol import service_facts
from workers.builder.errors import BuildFailed
from workers.builder.spec import BuildSpec, Column, SourceFile

TEMPLATES = Path(__file__).parent / "templates"
COMMON = (
    "service.py",
    "placet_slim.py",
    "placet_http.py",
    "placet_inputs.py",
    "placet_values.py",
    "placet_capture.py",
    "placet_monitor.py",
)
TYPES = frozenset({"double", "float", "long", "integer", "boolean", "string"})
ACCELERATED = "accelerated.onnx"
ONNX = "placet_onnx.py"
MAX_COLUMNS = 10_000
MAX_DIMENSIONS = 8


def project(spec: BuildSpec, folder: Path, types: tuple[str, ...] = ()) -> None:
    """Write the project into ``folder``, whose ``artifact`` already holds the version's files.

    ``types`` are those that the scan read in a skops file: the service loads no others.
    """
    kind = served(spec.format)
    for name in (*COMMON, *kind.shared):
        shutil.copyfile(TEMPLATES / name, folder / name)
    known = info(spec, folder / "artifact")
    if kind.trusts_types:
        known["trusted_types"] = list(types)
    shutil.copyfile(TEMPLATES / f"model_{spec.format}.py", folder / "placet_model.py")
    write_facts(folder, known)
    bentofile = {
        "service": entry(spec),
        "include": ["*.py"],  # the worker puts the source into the Bento itself
        "python": {"lock_packages": False},
    }
    write_json(folder / "bentofile.yaml", bentofile)  # JSON is YAML, and escapes everything


def accelerated(original: Path, folder: Path, graph: bytes, conversion: dict[str, Any]) -> None:
    """Write a project into ``folder`` that answers with ``graph`` and holds no original model."""
    folder.mkdir()
    for source in original.glob("*.py"):
        shutil.copyfile(source, folder / source.name)
    shutil.copyfile(TEMPLATES / "model_accelerated.py", folder / "placet_model.py")
    shutil.copyfile(TEMPLATES / ONNX, folder / ONNX)
    known = json.loads((original / "placet.json").read_text("utf-8"))
    known["accelerated"] = {"model": ACCELERATED, **conversion}
    known["wipe_memory"] = True
    write_facts(folder, known)
    (folder / ACCELERATED).write_bytes(graph)


def replace(project: Path, trial: Path) -> None:
    """Make ``project`` answer as ``trial`` does; the original model stays beside it."""
    for name in ("placet_model.py", ONNX, "placet.json", ACCELERATED):
        (trial / name).rename(project / name)


def info(spec: BuildSpec, artifact: Path) -> dict[str, Any]:
    """Return what the service reads at start."""
    return {
        "v": 1,
        "bento": bento_name(spec),
        "name": spec.name,
        "format": spec.format,
        "artifact_digest": spec.artifact_digest,
        "model_path": model_path(spec.format, seen(spec.files, artifact)),
        "signature": checked_signature(spec),
        "variables": [*spec.variables],  # the agent starts no release that sets another
        "wipe_memory": served(spec.format).wipe_memory,  # the agent reads it
    }


def bento_name(spec: BuildSpec) -> str:
    """Return the model's name as BentoML allows names: lower case letters, digits and dashes."""
    name = re.sub(r"[^a-z0-9]+", "-", spec.model.lower()).strip("-")
    return (name or "model")[:63].rstrip("-")


def entry(spec: BuildSpec) -> str:
    """Return what BentoML starts, as ``module:name``: of ours, whatever the version is."""
    return "placet_entry:service" if spec.own else "service:PlacetService"


def bento_version(spec: BuildSpec) -> str:
    """Return the Bento's version: the number and the start of the artifact's digest."""
    return f"{spec.number}-{spec.artifact_digest.removeprefix('sha256:')[:12]}"


def checked_signature(spec: BuildSpec) -> dict[str, Any]:
    """Return the signature with only the members the service reads, or say what is missing."""
    signature = spec.signature
    if not signature or not signature.get("inputs"):
        raise BuildFailed(
            "The version has no signature: without one the service could not check its input"
        )
    inputs, outputs = signature["inputs"], signature.get("outputs") or []
    if len(inputs) + len(outputs) > MAX_COLUMNS:
        raise BuildFailed(f"A signature may have at most {MAX_COLUMNS} columns")
    for columns in (inputs, outputs):
        names = [column["name"] for column in columns]
        if len(set(names)) != len(names):
            raise BuildFailed("The signature names a column twice")
    return {
        "inputs": [_column(column) for column in inputs],
        "outputs": [
            {"name": str(column["name"]), "type": column.get("type"), **_tags(column)}
            for column in outputs
        ],
    }


def _column(column: Column) -> dict[str, Any]:
    kind, shape = column.get("type"), column.get("shape")
    if kind not in TYPES:
        raise BuildFailed(
            f"The input {column['name']!r} has the type {kind!r}; a service can be made for "
            f"{', '.join(sorted(TYPES))}"
        )
    members: dict[str, Any] = {
        "name": str(column["name"]),
        "type": kind,
        "required": column.get("required", True),
    }
    if shape:
        if len(shape) > MAX_DIMENSIONS or not all(isinstance(n, int) for n in shape):
            raise BuildFailed(f"The input {column['name']!r} has a shape that cannot be served")
        members["shape"] = [int(n) for n in shape]
    return members | _tags(column)


def _tags(column: Column) -> dict[str, Any]:
    """Return what a column is tagged with, if anything; capture redacts by it."""
    return {"tags": [str(tag) for tag in column["tags"]]} if column.get("tags") else {}


def seen(files: tuple[SourceFile, ...], artifact: Path) -> formats.Files:
    """Return the artifact's files as formats read them."""

    def head(path: str, size: int) -> bytes:
        with (artifact / path).open("rb") as stream:
            return stream.read(size)

    return formats.Files(
        {file.path: file.size for file in files}, head, lambda path: (artifact / path).open("rb")
    )


def served(model_format: str) -> formats.Format:
    """Return the record of a format that Placet makes services for."""
    kind = formats.FORMATS.get(model_format)
    if kind is None or kind.project:
        raise BuildFailed(f"No service can be made for the format {model_format!r}")
    return kind


def model_path(model_format: str, files: formats.Files) -> str:
    """Return the path inside the artifact that the format's loader is given."""
    kind = served(model_format)
    if kind.root:
        roots = [p for p in files.sizes if PurePosixPath(p).name == kind.root]
        if not roots:
            raise BuildFailed(f"The artifact holds no {kind.root} file")
        return str(PurePosixPath(min(roots, key=lambda p: p.count("/"))).parent)
    candidates = kind.candidates(files)
    if len(candidates) != 1:
        raise BuildFailed(f"The artifact must hold one {model_format} file, not {len(candidates)}")
    return candidates[0]


def copy(name: str, target: Path) -> None:
    """Copy one of our own sources."""
    shutil.copyfile(TEMPLATES / name, target)


def write_facts(folder: Path, known: dict[str, Any]) -> None:
    """Write ``placet.json``; refuse here what a node would not start."""
    text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True)
    raw = text.encode("utf-8", "backslashreplace")  # half a surrogate pair: as JSON escapes it
    (folder / service_facts.NAME).write_bytes(raw)
    if not service_facts.fit(raw):
        raise BuildFailed(
            f"Signature and names of the version have more than {service_facts.MAX_BYTES >> 20} "
            "MiB as JSON, or too many parts: a node reads no more"
        )


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON of ASCII characters alone, which is YAML too."""
    path.write_text(
        json.dumps(value, indent=1, ensure_ascii=True, sort_keys=True), encoding="utf-8"
    )
