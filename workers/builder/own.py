"""The project of a version that is a BentoML project: its sources, our entry and build file."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from apps.registry.errors import FormatUnknown
from apps.registry.formats import bento_project
from workers.builder import generate
from workers.builder.errors import BuildFailed
from workers.builder.leavings import read_plain
from workers.builder.requirements import BENTOML
from workers.builder.spec import BuildSpec

SOURCES = ("placet_entry.py", "placet_http.py", "placet_inputs.py")
OURS = re.compile(r"placet[_.].*")
MAX_BENTO_FILE = 4 * 1024**2
# What BentoML writes of an image for every service; anything more was asked for in its source.
PLAIN_COMMAND = (
    "apt-get update && apt-get install -q -y --no-install-recommends --allow-remove-essential "
    "ca-certificates gnupg2 bash build-essential git"
)
PLAIN_BASE = re.compile(r"python:3\.\d+-slim")
IMAGE_PARTS = ("post_commands", "scripts", "build_include")


def project(spec: BuildSpec, artifact: Path, folder: Path) -> None:
    """Write the project into ``folder``: the version's files at its root, ours beside them."""
    told = checked(spec, artifact)
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
    info = {"v": 1, "bento": generate.bento_name(spec), "name": spec.name, "format": spec.format,
            "artifact_digest": spec.artifact_digest, "module": told.module,
            "attribute": told.attribute, "variables": [*spec.variables]}  # fmt: skip
    generate.write_json(folder / "placet.json", info)
    generate.write_json(folder / bento_project.BENTOFILE, {
        "service": "placet_entry:service",
        "name": generate.bento_name(spec),
        "description": told.description or spec.name,
        "labels": told.labels,
        "include": [*told.include, *SOURCES, "placet.json"],
        "exclude": told.exclude,
        "python": {"lock_packages": False},
    })  # fmt: skip


def checked(spec: BuildSpec, artifact: Path) -> bento_project.BuildFile:
    """Read the build file again: the worker trusts nobody to have done so."""
    try:
        return bento_project.read(generate.seen(spec.files, artifact))
    except FormatUnknown as error:
        raise BuildFailed(str(error)) from None


def refuse_system_parts(bento: Path) -> None:
    """Refuse a Bento whose service asked, in its own source, for parts of an image."""
    try:
        told = yaml.safe_load(read_plain(bento / "bento.yaml", MAX_BENTO_FILE))
        asked = [*_image_parts(told.get("image") or {}), *_docker_parts(told.get("docker") or {})]
        if told.get("envs"):
            asked.append("envs")
    except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError, RecursionError):
        raise BuildFailed("bentoml build left a bento.yaml that cannot be read") from None
    if asked:
        raise BuildFailed(
            f"The service's source asks for parts of an image ({', '.join(asked)}): Placet "
            "installs nothing of the system, and takes packages from the build file and variables "
            "from the release"
        )


def _image_parts(image: dict[str, Any]) -> list[str]:
    asked = [name for name in IMAGE_PARTS if image.get(name)]
    if any(command != PLAIN_COMMAND for command in image.get("commands") or []):
        asked.append("commands")
    if not PLAIN_BASE.fullmatch(str(image.get("base_image") or "python:3.13-slim")):
        asked.append("base_image")
    needs = str(image.get("python_requirements") or "").split()
    return [*asked, "python_packages"] if set(needs) - {BENTOML} else asked


def _docker_parts(docker: dict[str, Any]) -> list[str]:
    plain = {"distro", "python_version"}
    return [str(name) for name in docker if docker[name] and name not in plain]
