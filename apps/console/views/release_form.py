"""The form that asks for a release: what was typed, read, and what is wrong with it, where."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.http import QueryDict

from apps.console.queries.request_again import NUMBERS
from apps.console.queries.request_form import LABELS
from apps.console.views.fields import read_whole
from apps.serving.marks import marks
from placet.kernel.problems import FieldError, Problem
from placet_verify.permit.limits import BOUNDS
from placet_verify.units import FORM

VARIABLE = "variable."  # begins the name of an input for a variable
# Where a member of the request is typed, when the input has another name.
TYPED = {"unit": "unit_name"}
PLAIN = "letters, digits, _ and - alone, at most 64"
# What the form says of a sticky routing key that is none, by where it is to be found.
KEYS = {
    "header": f"must be the name of a header: {PLAIN}",
    "cookie": f"must be the name of a cookie: {PLAIN}",
    "json": f"must say where the field stands, such as /user/id: in each name {PLAIN}",
}
PERCENT = "must be a number from 0.01 to 100, or 0 to record none"


def serving_of(typed: QueryDict) -> dict[str, Any]:
    """Read the serving configuration from the form; what is missing takes its default.

    What should be a number and is none is left as it was typed: who reads it refuses it.
    """
    serving = _numbers(typed, NUMBERS)
    if server := typed.get("server"):
        serving["server"] = server
    if limits := _numbers(typed, BOUNDS):
        serving["limits"] = limits
    if source := typed.get("unit_source"):
        serving["unit"] = {source: typed.get("unit_name", "").strip()}
    if destinations := [text for _, text in lines_of(typed)]:
        serving["egress"] = destinations
    if values := {name: value for name, value in variables_of(typed).items() if value}:
        serving["variables"] = values
    if secrets := secrets_of(typed):
        serving["secrets"] = secrets
    if share := typed.get("capture", "").strip():
        number = share.replace(".", "", 1).isdecimal() and len(share) < 8
        percent: Any = float(share) if number else share
        if percent:
            serving["capture"] = {"percent": percent}
    return serving


def _numbers(typed: QueryDict, names: Iterable[str]) -> dict[str, Any]:
    return {
        name: text if (number := read_whole(text)) is None else number
        for name in names
        if (text := typed.get(name, "").strip())
    }


def lines_of(typed: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Return each destination with the line that it stands on, from 1."""
    for number, line in enumerate(str(typed.get("egress", "")).splitlines(), 1):
        for text in line.split(","):
            if text.strip():
                yield number, text.strip()


def secrets_of(typed: Mapping[str, Any]) -> dict[str, str]:
    """Return the secret that was typed for each file, a line each: the secret alone is found in a
    file of its name."""
    pairs = (line.partition("=") for line in str(typed.get("secrets", "")).splitlines())
    named = ((file.strip(), secret.strip()) for file, _, secret in pairs if file.strip())
    return {file if secret else file.rpartition("/")[2]: secret or file for file, secret in named}


def variables_of(typed: Mapping[str, Any]) -> dict[str, str]:
    """Return what was typed for each variable, '' where nothing was."""
    return {
        name.removeprefix(VARIABLE): str(typed[name]) for name in typed if name.startswith(VARIABLE)
    }


def marks_of(typed: Mapping[str, Any]) -> list[str]:
    """Return what of the destinations that were typed should not be read past."""
    sentences = []
    for _, text in lines_of(typed):
        with suppress(ValueError):  # said beside the field
            sentences += marks([text])
    return sentences


def faults_of(problem: Problem, typed: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with each input by its name; what belongs to none stands under ''."""
    faults: dict[str, list[str]] = {}
    for error in problem.errors:
        name, detail = _place(error, typed)
        faults.setdefault(name, []).append(detail)
    return faults


def _place(error: FieldError, typed: Mapping[str, Any]) -> tuple[str, str]:
    """Return the input that an error is about, and what to say beside it."""
    steps = error.pointer.strip("/").split("/")
    if steps[0] == "serving":
        steps = steps[1:] or ["memory_mb"]  # what does not fit together is memory
    if steps[0] == "limits":
        steps = steps[1:] or ["in_flight"]
    if steps[0] == "secrets" and len(steps) > 1:
        return "secrets", f"{steps[1]}: {error.detail}"
    name, rest = TYPED.get(steps[0], steps[0]), steps[1:]
    if name == "unit_name" and error.detail == FORM:  # which is how a program writes it
        return name, KEYS.get(str(typed.get("unit_source")), "Choose where the key is to be found")
    if name == "capture" and error.detail.startswith("percent "):
        return name, PERCENT
    if name == "egress" and rest and rest[0].isdecimal():
        lines = [number for number, _ in lines_of(typed)]
        index = int(rest[0])
        return name, f"line {lines[index]}: {error.detail}" if index < len(lines) else error.detail
    if name == "variables" and rest:
        return name, f"{rest[0]} {error.detail}"
    if name == "min_replicas":  # another member is known here by what stands beside its input
        label = f"“{LABELS['target_inflight']}”"
        return name, error.detail.replace("target_inflight", label)
    if name not in LABELS:
        return "", f"{error.pointer.lstrip('/')}: {error.detail}"
    return name, error.detail
