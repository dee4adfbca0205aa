"""A BentoML project with APIs of its own: its ``bentofile.yaml`` or ``pyproject.toml``, strictly.

What a build file says ends up in files and commands that BentoML writes, so only what is known to
be harmless may stand there (CVE-2026-35044, CVE-2026-44345, CVE-2026-44346): no unknown key, no
line break, no template, nothing of the system, no path out of the project.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from apps.registry.formats.base import Derived, Files, Format, refusal, yaml_of
from apps.registry.rules import requirement_faults
from apps.registry.rules.requirements import MAX_LINES
from placet_verify.permit.variables import declaration_faults

BENTOFILE, PYPROJECT = "bentofile.yaml", "pyproject.toml"
MAX_FILE, MAX_TEXT, MAX_NODES, MAX_PATTERNS = 64 * 1024, 500, 2000, 200
_SERVICE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)
# tomllib takes time and memory by the square of a name's parts: 4 GB for 64 kB of "a.a.a.…"
_LONG_NAME = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){20}""")
_REFUSED = {
    "docker": "Placet chooses what a Bento runs on: no base image, template, script or package "
    "of the system",
    "conda": "write Python packages under python.packages",
    "models": "upload the model's files with the project",
    "args": "give the service its values in its own source",
    "hooks": "nothing may run while building",
}


@dataclass(frozen=True, slots=True)
class BuildFile:
    """What a build file may say, checked."""

    module: str
    attribute: str
    description: str
    labels: dict[str, str]
    include: list[str]
    exclude: list[str]
    requirements: list[str]
    variables: list[str]  # the names under ``envs``


def find_build_file(files: Files) -> str:
    """Return the project's build file, or ''."""
    if BENTOFILE in files.sizes:
        return BENTOFILE
    if PYPROJECT in files.sizes and b"tool.bentoml" in files.header(PYPROJECT, MAX_FILE):
        return PYPROJECT
    return ""


def derive(files: Files) -> Derived:
    """Return requirements and variables; the signature is the author's to give, or nobody's."""
    project = read(files)
    return Derived("bentoml", requirements=project.requirements, variables=tuple(project.variables))


def read(files: Files) -> BuildFile:
    """Return the checked build file. Raises an error that names file and member."""
    path = find_build_file(files)
    if path == BENTOFILE:
        return _Reader(path, files).build_file(yaml_of(files, path, MAX_FILE), [])
    parsed, packages = _toml(files.read(path, MAX_FILE), path)
    return _Reader(path, files).build_file(parsed, packages)


def _toml(raw: bytes, path: str) -> tuple[Any, list[Any]]:
    try:
        text = raw.decode("utf-8")
        if _LONG_NAME.search(text):
            raise refusal(path, "a name has more than 20 parts")
        document = tomllib.loads(text)
        packages = document.get("project", {}).get("dependencies", [])
        return document["tool"]["bentoml"]["build"], list(packages)
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"not valid TOML: {str(error)[:100]}") from None
    except (LookupError, TypeError, AttributeError):
        raise refusal(path, "it has no table tool.bentoml.build") from None


@dataclass(frozen=True, slots=True)
class _Reader:
    path: str
    files: Files

    def build_file(self, parsed: Any, packages: list[Any]) -> BuildFile:
        known = self._members(
            parsed,
            "",
            {"service", "name", "description", "labels", "include", "exclude", "python", "envs"},
        )
        self._texts_are_plain(parsed)
        module, attribute = self._service(known.get("service"))
        python = self._members(
            known.get("python") or {}, "python", {"packages", "requirements_txt", "lock_packages"}
        )
        description = known.get("description") or ""
        if not isinstance(description, str) or description.startswith("file:"):
            self._refuse("description", "a text of its own; no file is read for it")
        named = self._list(python.get("packages"), "python.packages") + packages
        return BuildFile(
            module,
            attribute,
            description,
            self._labels(known.get("labels")),
            self._patterns(known.get("include"), "include") or ["*"],
            self._patterns(known.get("exclude"), "exclude"),
            self._requirements(named, python.get("requirements_txt")),
            self._variables(known.get("envs")),
        )

    def _refuse(self, member: str, why: str) -> Any:
        raise refusal(self.path, f"{member}: {why}" if member else why)

    def _members(self, value: Any, where: str, allowed: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(where, "names with values are wanted")
        for name in value:
            if name not in allowed:
                escaped = ascii(str(name))[1:-1][:60]
                member = f"{where}.{escaped}" if where else escaped
                self._refuse(member, _REFUSED.get(str(name), "is not known here"))
        known: dict[str, Any] = value
        return known

    def _texts_are_plain(self, parsed: Any) -> None:
        for number, (where, text) in enumerate(_texts(parsed)):
            if number > MAX_NODES:
                self._refuse("", f"more than {MAX_NODES} values")
            if len(text) > MAX_TEXT or not text.isprintable():
                self._refuse(
                    where,
                    f"at most {MAX_TEXT} characters, without line breaks and control characters",
                )
            if any(mark in text for mark in ("{{", "{%", "{#")):
                self._refuse(where, "may not hold a template ('{{', '{%', '{#')")

    def _service(self, value: Any) -> tuple[str, str]:
        text = value.replace(".py:", ":") if isinstance(value, str) else ""
        parts = _SERVICE.fullmatch(text)
        if parts is None:
            return tuple(self._refuse("service", "write it as module:Class"))
        module, attribute = parts.groups()
        path = module.replace(".", "/")
        if not {f"{path}.py", f"{path}/__init__.py"} & set(self.files.sizes):
            self._refuse("service", f"{path}.py was not uploaded")
        return module, attribute

    def _labels(self, value: Any) -> dict[str, str]:
        labels = value or {}
        texts = [*labels.keys(), *labels.values()] if isinstance(labels, dict) else [None]
        if not all(isinstance(text, str) and _LABEL.fullmatch(text) for text in texts):
            self._refuse("labels", "short texts by name: letters, digits and _ . - inside")
        return dict(labels)

    def _list(self, value: Any, where: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_PATTERNS:
            self._refuse(where, f"a list of at most {MAX_PATTERNS} texts")
        return list(value)

    def _patterns(self, value: Any, where: str) -> list[str]:
        return [self._inside(text, where) for text in self._list(value, where)]

    def _inside(self, text: Any, where: str) -> str:
        if (
            not isinstance(text, str)
            or not text
            or text.startswith(("/", "~", "-", "!"))
            or "\\" in text
            or ":" in text
            or ".." in PurePosixPath(text).parts
        ):
            self._refuse(where, "a path inside the project: not absolute, without '..'")
        return str(text)

    def _variables(self, value: Any) -> list[str]:
        """Return the names under ``envs``. Their values are a release's to give, so that people
        approve them; BentoML would write a default into the Bento's own start script."""
        names = []
        for index, entry in enumerate(self._list(value, "envs")):
            where = f"envs.{index}"
            known = self._members(entry, where, {"name", "value", "stage"})
            if "value" in known:
                self._refuse(
                    where,
                    "leave its value out: a release gives it. A default belongs into your source",
                )
            if known.get("stage", "all") not in ("all", "runtime"):
                self._refuse(where, "nothing may be set while building: leave its stage out")
            names.append(known.get("name"))
        for faulty, detail in declaration_faults(names):
            self._refuse("envs" if faulty is None else f"envs.{faulty}.name", detail)
        return [str(name) for name in names]

    def _requirements(self, named: list[Any], listed: Any) -> list[str]:
        lines = [("python.packages", str(line)) for line in named]
        if listed is not None:
            path = self._inside(listed, "python.requirements_txt").removeprefix("./")
            if path not in self.files.sizes:
                self._refuse("python.requirements_txt", f"{path} was not uploaded")
            text = self.files.read(path, MAX_FILE).decode("utf-8", "replace")
            kept = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
            lines += [(path, line) for line in kept if line]
        if len(lines) > MAX_LINES:
            self._refuse(lines[-1][0], f"at most {MAX_LINES} requirements")
        for where, line in lines:
            if faults := requirement_faults([line]):
                self._refuse(where, f"{ascii(line)[:60]}: {faults[0].detail}")
        return [line for _, line in lines]


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its place: names of members too, and other values as text."""
    if isinstance(value, dict):
        for name, item in value.items():
            here = f"{where}.{name}" if where else str(name)
            yield "a name", str(name)
            yield from _texts(item, here[:80])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, where)
    else:
        yield where, str(value)


FORMAT = Format(
    name="bentoml",
    title="a BentoML project",
    root=BENTOFILE,
    find=lambda files: [path] if (path := find_build_file(files)) else [],
    derive=derive,
    project=True,
)
