"""How things are named on the command line."""

import re

import typer

_SLUG = r"[a-z0-9][a-z0-9_-]*"
_PAIR = re.compile(rf"({_SLUG})/({_SLUG})")
_PROJECT = re.compile(rf"({_SLUG})(/({_SLUG}))?")
_VERSION = re.compile(rf"({_SLUG})/({_SLUG}):([0-9]{{1,9}})", re.ASCII)
_RELEASE = re.compile(rf"({_SLUG})/([0-9]{{1,9}})", re.ASCII)
_ENDPOINT = re.compile(rf"({_SLUG})/({_SLUG})/({_SLUG})")


def model(text: str) -> tuple[str, str]:
    """Read ``project/model``."""
    project, name = _match(_PAIR, text, "PROJECT/MODEL")
    return project, name


def version(text: str) -> tuple[str, str, int]:
    """Read ``project/model:3``."""
    project, name, number = _match(_VERSION, text, "PROJECT/MODEL:NUMBER")
    return project, name, int(number)


def place(text: str) -> tuple[str, str]:
    """Read ``project/environment``."""
    project, name = _match(_PAIR, text, "PROJECT/ENVIRONMENT")
    return project, name


def project_or_place(text: str) -> tuple[str, str]:
    """Read ``project`` or ``project/environment``; '' stands for every one of the project."""
    project, _, name = _match(_PROJECT, text, "PROJECT or PROJECT/ENVIRONMENT")
    return project, name or ""


def endpoint(text: str) -> tuple[str, str, str]:
    """Read ``project/environment/endpoint``."""
    project, where, name = _match(_ENDPOINT, text, "PROJECT/ENVIRONMENT/ENDPOINT, nor an id")
    return project, where, name


def release(text: str) -> tuple[str, int]:
    """Read ``project/4``, a release by the number that it has in its project."""
    project, number = _match(_RELEASE, text, "PROJECT/NUMBER, nor an id")
    return project, int(number)


def _match(pattern: re.Pattern[str], text: str, form: str) -> tuple[str, ...]:
    match = pattern.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not of the form {form}")
    return match.groups()
