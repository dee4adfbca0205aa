"""The project of a version that is a BentoML project: its sources, our entry and build file."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from apps.registry.errors import FormatUnknown
from apps.registry.formats import bento_project
from workers.builder import generate
from workers.builder.errors import BuildFailed
from workers.builder.own_files import OURS
from workers.builder.sandbox import Limits, Sandbox
from workers.builder.spec import BuildSpec
from workers.builder.untrusted_files import read_plain, told_by

SOURCES = ("placet_entry.py", "placet_http.py", "placet_inputs.py")
MAX_BENTO_FILE = 4 * 1024**2


def project(spec: BuildSpec, artifact: Path, folder: Path) -> None:
    """Write the project into ``folder``: the version's files at its root, ours beside them."""
    bentofile = checked(spec, artifact)
    for file in spec.files:
        if file.path == bento_project.BENTOFILE:
            continue
        if OURS.fullmatch(file.path.partition("/")[0]):  # a folder would stand in for our module
            raise BuildFailed(f"{file.path}: names that begin with placet belong to Placet")
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(artifact / file.path, target)
    for name in SOURCES:
        generate.copy(name, folder / name)
    info = {
        "v": 1,
        "bento": generate.bento_name(spec),
        "name": spec.name,
        "format": spec.format,
        "artifact_digest": spec.artifact_digest,
        "module": bentofile.module,
        "attribute": bentofile.attribute,
        "variables": [*spec.variables],
    }
    generate.write_facts(folder, info)
    generate.write_json(
        folder / bento_project.BENTOFILE,
        {
            "service": "placet_entry:service",
            "name": generate.bento_name(spec),
            "description": bentofile.description or spec.name,
            "labels": bentofile.labels,
            "include": [*bentofile.include, *SOURCES, "placet.json"],
            "exclude": bentofile.exclude,
            "python": {"lock_packages": False},
        },
    )


def checked(spec: BuildSpec, artifact: Path) -> bento_project.BuildFile:
    """Read the build file again: the worker trusts nobody to have done so."""
    try:
        return bento_project.read(generate.seen(spec.files, artifact))
    except FormatUnknown as error:
        raise BuildFailed(str(error)) from None


def refuse_system_parts(bento: Path, sandbox: Sandbox, cancelled: Callable[[], bool]) -> None:
    """Refuse a Bento whose service asked, in its own source, for parts of an image."""
    try:
        read_plain(bento / "bento.yaml", MAX_BENTO_FILE)
        answer = told_by(
            "workers.builder.image_parts",
            bento,
            sandbox,
            Limits(memory_mb=1024, seconds=30, disk_mb=64),
            name="reading it",
            cancelled=cancelled,
        )
        parts = [str(name)[:60] for name in json.loads(answer)][:20]
    except (OSError, ValueError, TypeError, RecursionError):
        raise BuildFailed("bentoml build left a bento.yaml that cannot be read") from None
    if parts:
        raise BuildFailed(
            f"The service's source asks for parts of an image ({', '.join(parts)}): Placet "
            "installs nothing of the system, and takes packages from the build file and variables "
            "from the release"
        )
