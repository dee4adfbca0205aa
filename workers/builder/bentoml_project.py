"""The project of a version that is a BentoML project: its sources, our entry and build file."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from apps.registry.errors import FormatUnknown
from apps.registry.formats import bento_project
from placet_protocol import service_facts
from workers.builder import generate
from workers.builder.errors import BuildFailed
from workers.builder.sandbox import Limits, Sandbox
from workers.builder.spec import BuildSpec
from workers.builder.untrusted_files import told_by

SOURCES = ("placet_entry.py", "placet_http.py", "placet_inputs.py")
OURS = re.compile(r"placet[_.].*|bentofile\.yaml", re.IGNORECASE)


def project(spec: BuildSpec, artifact: Path, folder: Path) -> None:
    """Write the project into ``folder``: the version's files at its root, ours beside them."""
    bentofile = checked(spec, artifact)
    for file in spec.files:
        if file.path == bento_project.BENTOFILE:
            continue
        if OURS.fullmatch(file.path.partition("/")[0]):  # a folder would stand in for our module
            raise BuildFailed(
                f"{file.path}: names that begin with placet, and {bento_project.BENTOFILE} as that "
                "of a folder or in capitals, belong to Placet"
            )
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
            "service": generate.entry(spec),
            "name": generate.bento_name(spec),
            "description": bentofile.description or spec.name,
            "labels": bentofile.labels,
            "include": bentofile.include,
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


def included(folder: Path, sandbox: Sandbox, cancelled: Callable[[], bool]) -> frozenset[str]:
    """Return the files of a project that go into the Bento: those that the version's build file
    chose, and ours, whatever it says of them."""
    limits = Limits(memory_mb=1024, seconds=60, disk_mb=64)
    try:
        answer = told_by(
            "workers.builder.included", folder, sandbox, limits, name="it", cancelled=cancelled
        )
        chosen = [str(name) for name in json.loads(answer)]
    except (OSError, ValueError) as error:
        raise BuildFailed(
            f"What {bento_project.BENTOFILE} and .bentoignore leave out cannot be told: {error}"
        ) from None
    return frozenset([*chosen, *SOURCES, service_facts.NAME, bento_project.BENTOFILE])
