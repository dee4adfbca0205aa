"""A version's own project gets our entry beside it, and may not stand in for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.builder import bentoml_project
from workers.builder.bento import hold_manifest
from workers.builder.errors import BuildFailed
from workers.builder.manifest import PLAIN_COMMAND
from workers.builder.sandbox import Sandbox, never
from workers.builder.spec import BuildSpec, SourceFile

SERVICE = "placet_entry:service"
PLAIN: dict[str, Any] = {
    "service": SERVICE,
    "models": [],
    "args": {},
    "image": {
        "base_image": "python:3.13-slim",
        "commands": [PLAIN_COMMAND],
        "post_commands": [],
        "python_requirements": "bentoml==1.4.40\n\n",
        "scripts": {},
    },
    "envs": [],
}


def made(tmp_path: Path, **files: bytes | None) -> Path:
    """Generate the project of these files; ``__`` in a name is a dot, ``___`` a slash, and
    ``None`` leaves one out."""
    artifact, folder = tmp_path / "files", tmp_path / "project"
    folder.mkdir()
    given = {"bentofile.yaml": b"service: service:Greeter\nlabels: {owner: risk}\n"}
    given["service.py"] = b""
    named = {k.replace("___", "/").replace("__", "."): raw for k, raw in files.items()}
    given |= {name: raw for name, raw in named.items() if raw is not None}
    given = {name: raw for name, raw in given.items() if named.get(name, raw) is not None}
    for path, raw in given.items():
        (artifact / path).parent.mkdir(parents=True, exist_ok=True)
        (artifact / path).write_bytes(raw)
    spec = BuildSpec(
        build="bld_1",
        project="prj_1",
        version="ver_1",
        model="Greeter",
        number=3,
        format="bentoml",
        variables=("MODE",),
        artifact_digest="sha256:" + "0" * 64,
        signature=None,
        files=tuple(SourceFile(path, "0" * 64, len(raw)) for path, raw in given.items()),
    )
    bentoml_project.project(spec, artifact, folder)
    return folder


def test_its_files_stand_at_the_root_and_the_build_file_is_ours(tmp_path: Path) -> None:
    folder = made(tmp_path, data___words__txt=b"hello", artifact___x__bin=b"1")
    assert (folder / "data/words.txt").read_bytes() == b"hello"
    assert (folder / "artifact/x.bin").exists()
    told = json.loads((folder / "bentofile.yaml").read_text())
    assert (told["service"], told["labels"]) == ("placet_entry:service", {"owner": "risk"})
    assert set(told) <= {"service", "name", "description", "labels", "include", "exclude", "python"}
    info = json.loads((folder / "placet.json").read_text())
    assert (info["module"], info["attribute"], info["name"]) == ("service", "Greeter", "Greeter:3")
    assert info["variables"] == ["MODE"]


@pytest.mark.parametrize(
    "name",
    [
        *("placet_http__py", "placet_http_____init____py", "placet__json", "placet_entry__py"),
        *("Placet__json", "Bentofile__yaml", "bentofile__yaml___x"),
    ],
)
def test_what_would_stand_in_for_our_files_is_refused(tmp_path: Path, name: str) -> None:
    build_file = b"[tool.bentoml.build]\nservice = 'service:Greeter'\n"
    with pytest.raises(BuildFailed, match="belong to Placet"):
        made(tmp_path, bentofile__yaml=None, pyproject__toml=build_file, **{name: b""})


def test_a_build_file_that_became_bad_is_refused_by_the_worker_too(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"bentofile\.yaml: docker"):
        made(tmp_path, bentofile__yaml=b"service: service:G\ndocker: {setup_script: a}\n")


def bento(tmp_path: Path, told: Any) -> Path:
    """Return a built Bento that says this of itself."""
    raw = told if isinstance(told, bytes) else yaml.safe_dump(told).encode()
    (folder := tmp_path / "bento").mkdir(exist_ok=True)  # pytest closes its own to everybody else
    (folder / "bento.yaml").write_bytes(raw)
    return folder


def refuse(folder: Path) -> None:
    """Have the worker look at a built Bento."""
    hold_manifest(folder, SERVICE, Sandbox("bwrap"), never)


def test_a_bento_without_wishes_is_taken(tmp_path: Path) -> None:
    refuse(bento(tmp_path, PLAIN))


@pytest.mark.parametrize(
    "image",
    [
        {"commands": [PLAIN_COMMAND, "id"]},
        {"post_commands": ["id"]},
        {"scripts": {"a": "b"}},
        {"base_image": "evil"},
        {"python_requirements": "evil==1"},
        {"build_include": ["x"]},
    ],
)
def test_a_bento_that_asks_for_parts_of_an_image_is_refused(tmp_path: Path, image: Any) -> None:
    (name,) = image
    with pytest.raises(
        BuildFailed,
        match=rf"does not say \({name if name != 'python_requirements' else 'python_packages'}\)",
    ):
        refuse(bento(tmp_path, {**PLAIN, "image": {**PLAIN["image"], **image}}))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"docker": {"distro": "debian"}}, "docker"),
        ({"conda": {"channels": ["evil"]}}, "conda"),
        ({"python": {"index_url": "https://evil.example"}}, "python"),
        ({"envs": [{"name": "A", "value": "b"}]}, "envs"),
        ({"models": ["theirs:latest"]}, "models"),
        ({"services": [{"name": "a", "models": []}, {"models": ["theirs:1"]}]}, "models"),
        ({"args": {"a": 1}}, "args"),
        ({"service": "service:Greeter"}, "service"),
        ({"service": None}, "service"),
    ],
)
def test_a_bento_that_says_more_than_its_build_file_is_refused(
    tmp_path: Path, told: Any, name: str
) -> None:
    with pytest.raises(BuildFailed, match=rf"does not say \({name}\)"):
        refuse(bento(tmp_path, {**PLAIN, **told}))


# Ten times as long with each line: as text it is longer than the memory of any machine.
ALIASES = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 30)
)


def test_a_bento_yaml_is_read_where_memory_ends(tmp_path: Path) -> None:
    """BentoML makes aliases of what stands twice; some that its service made are no such thing."""
    twice = PLAIN["image"] | {"scripts": (same := {}), "post_commands": same}
    refuse(bento(tmp_path, {**PLAIN, "image": twice}))
    with pytest.raises(BuildFailed, match="cannot be read"):
        refuse(bento(tmp_path, ALIASES + b"image: {base_image: *a29}\n"))


@pytest.mark.parametrize("raw", [b"", b"[", b"- a", b"image: 3"])
def test_a_bento_yaml_that_cannot_be_read_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(BuildFailed, match="cannot be read"):
        refuse(bento(tmp_path, raw))
