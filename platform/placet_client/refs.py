"""How things are named on the command line, and where they stand in the API."""

import re
from dataclasses import dataclass

import typer

_SLUG = r"[a-z0-9][a-z0-9_-]*"
_MODEL = re.compile(rf"^({_SLUG})/({_SLUG})$")
_VERSION = re.compile(rf"^({_SLUG})/({_SLUG}):([0-9]{{1,9}})$")
_PLACE = re.compile(rf"^({_SLUG})/({_SLUG})$")
_ENDPOINT = re.compile(rf"^({_SLUG})/({_SLUG})/({_SLUG})$")


@dataclass(frozen=True, slots=True)
class VersionRef:
    """``project/model:3``."""

    project: str
    model: str
    number: int

    @property
    def path(self) -> str:
        """Its API path."""
        return f"/projects/{self.project}/models/{self.model}/versions/{self.number}"


def model_path(text: str) -> str:
    """Return the API path of ``project/model``."""
    project, model = _match(_MODEL, text, "PROJECT/MODEL")
    return f"/projects/{project}/models/{model}"


def version(text: str) -> VersionRef:
    """Read ``project/model:3``."""
    project, model, number = _match(_VERSION, text, "PROJECT/MODEL:NUMBER")
    return VersionRef(project, model, int(number))


def environment_path(text: str) -> str:
    """Return the API path of ``project/environment``."""
    project, name = _match(_PLACE, text, "PROJECT/ENVIRONMENT")
    return f"/projects/{project}/environments/{name}"


def endpoint_path(text: str) -> str:
    """Return the API path of ``project/environment/endpoint``, or of an endpoint's id."""
    if text.startswith("end_"):
        return f"/endpoints/{text}"
    project, place, name = _match(_ENDPOINT, text, "PROJECT/ENVIRONMENT/ENDPOINT")
    return f"/projects/{project}/environments/{place}/endpoints/{name}"


def _match(pattern: re.Pattern[str], text: str, form: str) -> tuple[str, ...]:
    found = pattern.match(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not of the form {form}")
    return found.groups()
