"""Tells what a built Bento asks for beyond its service. Runs in a sandbox of its own: BentoML wrote
``bento.yaml`` while the service's own source ran, so it may say anything.

Usage: python -m workers.builder.manifest BENTO ANSWER SERVICE
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from workers.builder.pinned import BENTOML

# What BentoML writes of an image for every service; anything more was asked for in its source.
PLAIN_COMMAND = (
    "apt-get update && apt-get install -q -y --no-install-recommends --allow-remove-essential "
    "ca-certificates gnupg2 bash build-essential git"
)
PLAIN_BASE = re.compile(r"python:3\.\d+-slim")
PARTS = ("post_commands", "scripts", "build_include")
PYTHON = re.compile(r"3\.\d+")
# In every Bento that Placet has built; the last four are of services from before BentoML 1.2
EMPTY = ("envs", "models", "args", "docker", "conda", "python", "runners")


def asked(document: dict[str, Any], service: str) -> list[str]:
    """Return the names of what ``bento.yaml`` asks for beyond ``service``, ``module:name``."""
    parts = [*_image(document.get("image") or {})]
    parts += [name for name in EMPTY if document.get(name)]
    if any(each.get("models") for each in document.get("services") or []):
        parts.append("models")
    return parts if document.get("service") == service else [*parts, "service"]


def _image(image: dict[str, Any]) -> list[str]:
    parts = [name for name in PARTS if image.get(name)]
    if any(command != PLAIN_COMMAND for command in image.get("commands") or []):
        parts.append("commands")
    if not PLAIN_BASE.fullmatch(str(image.get("base_image") or "python:3.13-slim")):
        parts.append("base_image")
    if not PYTHON.fullmatch(str(image.get("python_version") or "3.13")):
        parts.append("python_version")
    needs = str(image.get("python_requirements") or "").split()
    return [*parts, "python_packages"] if set(needs) - {BENTOML} else parts


def main(bento: Path, answer: Path, service: str) -> int:
    """Write what the Bento in ``bento`` asks for. BentoML's dumper makes aliases of what stands
    twice, so they are read here, where time and memory end."""
    document = yaml.safe_load((bento / "bento.yaml").read_bytes())
    answer.write_text(json.dumps(asked(document, service)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
