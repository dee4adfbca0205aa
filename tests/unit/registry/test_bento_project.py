"""A BentoML build file may say only what cannot do harm; everything else is refused by name."""

from typing import Any

import pytest
import yaml

from apps.registry import formats
from apps.registry.errors import FormatUnknown
from apps.registry.formats import bento_project
from apps.registry.rules import signature_faults
from tests.unit.registry.test_tree_formats import files_of

GOOD: dict[str, Any] = {
    "service": "service:Greeter",
    "description": "It greets",
    "labels": {"owner": "risk-team", "stage": "dev"},
    "include": ["*.py", "data/"],
    "exclude": ["tests/"],
    "python": {"packages": ["numpy==2.1"], "requirements_txt": "./requirements.txt"},
}


def project(build: Any = None, **more: bytes) -> Any:
    """Return the files of a project with this build file."""
    told = GOOD if build is None else build
    raw = told if isinstance(told, bytes) else yaml.safe_dump(told).encode()
    files = {"bentofile.yaml": raw, "service.py": b"", "requirements.txt": b"scipy # why\n\n"}
    return files_of({**files, **more})


def test_a_good_build_file_is_read_whole() -> None:
    files = project()
    assert formats.detect(files) == "bentoml"
    assert formats.derive("bentoml", files).requirements == ["numpy==2.1", "scipy"]
    found = bento_project.read(files)
    assert (found.module, found.attribute, found.labels) == ("service", "Greeter", GOOD["labels"])
    assert (found.include, found.exclude) == (["*.py", "data/"], ["tests/"])


def test_the_names_under_envs_are_what_a_release_may_set() -> None:
    files = project({**GOOD, "envs": [{"name": "MODE"}, {"name": "LEVEL", "stage": "runtime"}]})
    assert bento_project.read(files).variables == ["MODE", "LEVEL"]
    assert formats.derive("bentoml", files).variables == ("MODE", "LEVEL")
    assert formats.derive("bentoml", project()).variables == ()


def test_a_table_in_pyproject_is_a_build_file_too() -> None:
    text = (
        b'[project]\ndependencies = ["scipy==1.2"]\n[tool.bentoml.build]\nservice = "app.py:Svc"\n'
    )
    files = files_of({"pyproject.toml": text, "app.py": b"", "model.pkl": b""})
    assert formats.detect(files) == "bentoml"
    found = bento_project.read(files)
    assert (found.module, found.requirements, found.include) == ("app", ["scipy==1.2"], ["*"])
    plain = files_of({"pyproject.toml": b"[project]\n", "model.pkl": b""})
    assert formats.detect(plain) == "sklearn"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"docker": {"system_packages": ["git"]}}, "docker: Placet chooses"),
    ({"docker": {"dockerfile_template": "./Dockerfile.j2"}}, "docker: Placet chooses"),
    ({"docker": {"setup_script": "setup.sh"}}, "docker: Placet chooses"),
    ({"conda": {}}, "conda: write"),
    ({"envs": [{"name": "A", "value": "b"}]}, "envs.0: leave its value out"),
    ({"envs": [{"name": "A", "value": ""}]}, "envs.0: leave its value out"),
    ({"envs": [{"name": "A"}, {"name": "B", "stage": "build"}]}, "envs.1: nothing may be set"),
    ({"envs": [{"name": "A", "from": "b"}]}, "envs.0.from: is not known"),
    ({"envs": ["A"]}, "envs.0: names with values"),
    ({"envs": {"A": "b"}}, "envs: a list"),
    ({"envs": [{"value": "b"}]}, "envs.0: leave"),
    ({"envs": [{}]}, "envs.0.name: a name has"),
    ({"envs": [{"name": "a"}]}, "envs.0.name: a name has"),
    ({"envs": [{"name": "A\nUSER root"}]}, "envs.name: at most"),
    ({"envs": [{"name": "A"}, {"name": "A"}]}, "envs.1.name: A is named twice"),
    ({"envs": [{"name": "PATH"}]}, "envs.0.name: may never be set"),
    ({"envs": [{"name": f"A{n}"} for n in range(51)]}, "envs: must be a list of at most 50"),
    ({"models": ["m:latest"]}, "models: upload"),
    ({"hooks": {}}, "hooks: nothing"),
    ({"surprise": 1}, "surprise: is not known"),
    ({"python": {"index_url": "a"}}, "python.index_url: is not known"),
    ({"python": {"wheels": ["a.whl"]}}, "python.wheels: is not known"),
    ({"python": {"pip_args": "--pre"}}, "python.pip_args: is not known"),
    ({"python": ["numpy"]}, "python: names with values"),
    ({"description": "a\nRUN id"}, "description: at most"),
    ({"description": "a\tb"}, "description: at most"),
    ({"description": "a\u202eb"}, "description: at most"),
    ({"description": "{{ 7 * 7 }}"}, "description: may not hold a template"),
    ({"description": "{% import os %}"}, "description: may not hold a template"),
    ({"description": "file:/etc/passwd"}, "description: a text of its own"),
    ({"description": "x" * 501}, "description: at most"),
    ({"labels": {"a": "b\nc"}}, "labels.a: at most"),
    ({"labels": {"a{{b": "c"}}, "may not hold a template"),
    ({"labels": {"a": 3}}, "labels: short texts"),
    ({"labels": {"a": "$(id)"}}, "labels: short texts"),
    ({"name": "x\nUSER root"}, "name: at most"),
    ({"include": ["/etc/passwd"]}, "include: a path inside"),
    ({"include": ["../secrets"]}, "include: a path inside"),
    ({"include": ["a/../../b"]}, "include: a path inside"),
    ({"include": ["~/.ssh"]}, "include: a path inside"),
    ({"include": ["C:\\x"]}, "include: a path inside"),
    ({"include": "*.py"}, "include: a list"),
    ({"exclude": ["!../x"]}, "exclude: a path inside"),
    ({"service": "os:system"}, "os.py was not uploaded"),
    ({"service": "../evil:X"}, "service: write it as"),
    ({"service": "service:Greeter; import os"}, "service: write it as"),
    ({"service": None}, "service: write it as"),
    ({"python": {"packages": ["-r other.txt"]}}, "python.packages: '-r other.txt': Options"),
    ({"python": {"packages": ["a @ https://x/y.whl"]}}, "python.packages: "),
    ({"python": {"packages": ["git+ssh://x/y"]}}, "python.packages: "),
    ({"python": {"packages": ["./local"]}}, "python.packages: "),
    ({"python": {"packages": "numpy"}}, "python.packages: a list"),
    ({"python": {"requirements_txt": "/etc/passwd"}}, "python.requirements_txt: a path inside"),
    ({"python": {"requirements_txt": "other.txt"}}, "other.txt was not uploaded"),
]


@pytest.mark.parametrize(
    ("change", "why"), BAD, ids=[why + str(n) for n, (_, why) in enumerate(BAD)]
)
def test_what_could_do_harm_is_refused_with_its_place(change: dict[str, Any], why: str) -> None:
    with pytest.raises(FormatUnknown) as refused:
        bento_project.read(project({**GOOD, **change}))
    assert str(refused.value).startswith("bentofile.yaml: ")
    assert why in str(refused.value)
    assert refused.value.errors[0].pointer == "/files/bentofile.yaml"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"service: [", "not valid YAML at line 1"),
        (b"- a\n", "names with values"),
        (b"", "names with values"),
        (b"service: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        (b"\xff\xfe", "not valid YAML"),
        (b"include: [" + b"a," * 3000 + b"]\nservice: service:Greeter\n", "more than 2000 values"),
    ],
)
def test_a_build_file_that_is_none_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(FormatUnknown, match=why):
        bento_project.read(project(raw))


def test_a_requirements_file_obeys_the_same_rules() -> None:
    bad = {"requirements.txt": b"numpy\n--index-url https://evil/wheels\n"}
    with pytest.raises(FormatUnknown, match=r"requirements\.txt: '--index-url"):
        bento_project.read(project(None, **bad))


def test_two_kinds_of_project_are_refused() -> None:
    with pytest.raises(FormatUnknown, match="both an MLflow model and a BentoML project"):
        formats.detect(project(None, MLmodel=b""))
    with pytest.raises(FormatUnknown, match="lies in a folder"):
        formats.detect(files_of({"app/bentofile.yaml": b"", "app/service.py": b""}))


@pytest.mark.parametrize("api", ["predict", "classify_2"])
def test_a_signature_may_name_the_api(api: str) -> None:
    columns = [{"name": "a", "type": "long"}]
    assert signature_faults({"inputs": columns, "outputs": columns, "api": api}) == []


@pytest.mark.parametrize("api", ["", "a/b", "a b", 7, None, "x" * 81, "../x"])
def test_an_api_that_is_no_name_is_refused(api: Any) -> None:
    columns = [{"name": "a", "type": "long"}]
    faults = signature_faults({"inputs": columns, "outputs": columns, "api": api})
    assert [fault.pointer for fault in faults] == ["/signature/api"]
