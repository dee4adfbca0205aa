"""Kinds of evidence with the data each must carry; parameters, tags and lineage."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from apps.registry.rules.values import count, escape, is_writable, json_faults, number
from placet.kernel.ids import is_id
from placet.kernel.problems import FieldError
from placet_verify import canonical

Check = tuple[Callable[[Any], bool], str]
MAX_DATA_BYTES, MAX_METRICS, MAX_PARAMETERS, MAX_TAGS = 512 * 1024, 500, 500, 50
_METRIC = re.compile(r"[A-Za-z_][A-Za-z0-9_./ @-]{0,79}")
_LATENCY = re.compile(r"(?:p\d{1,3}(?:_\d+)?|mean|median|min|max)_ms")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def one_of(*words: str) -> Check:
    """A word of a closed list."""
    return (lambda value: isinstance(value, str) and value in words), f"One of {', '.join(words)}"


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 500


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(number(v) for v in value.values())


def _checks(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(v, dict) and _text(v.get("name")) and isinstance(v.get("passed"), bool)
        for v in value
    )


TEXT: Check = (_text, "Text of 1 to 500 characters, not all of them blank")
COUNT: Check = (count, "A whole number from 0 on")
NUMBER: Check = (number, "A finite number")
NUMBERS: Check = (_numbers, "An object of finite numbers, at least one")
LIST: Check = (lambda value: isinstance(value, list), "A list")
OBJECT: Check = (lambda value: isinstance(value, dict), "An object")
SHA256: Check = (
    lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)),
    "A SHA-256 as 64 lower-case hex digits",
)

COMMIT: Check = (
    lambda value: isinstance(value, str) and bool(_COMMIT.fullmatch(value)),
    "The hash of a commit: 7 to 64 lower-case hex digits",
)

KEY: Check = (
    lambda value: value == "" or (isinstance(value, str) and bool(_DIGEST.fullmatch(value))),
    "The fingerprint of a key, sha256: and 64 lower-case hex digits, or nothing",
)

# What the data of each kind must hold; more may stand beside it. ``metrics`` is checked apart.
KINDS: dict[str, dict[str, Check]] = {
    "metrics": {},
    "scan": {
        "verdict": one_of("safe", "code-carrying", "malicious", "unknown"),
        "findings": LIST,
        "scanner": OBJECT,
    },
    "model_signature": {"result": one_of("trusted", "unknown"), "key": KEY, "files": COUNT},
    "smoke_test": {
        "result": one_of("equal", "starts", "different", "failed"),
        "rows": COUNT,
        "equal": COUNT,
    },
    "acceleration": {
        "verdict": one_of("accelerated", "original"),
        "rows": COUNT,
        "max_absolute": NUMBER,
        "max_relative": NUMBER,
        "tolerance": NUMBERS,
    },
    "load_test": {"requests": COUNT, "failed": COUNT, "p95_ms": NUMBER},
    "sbom": {"format": TEXT, "components": COUNT, "sha256": SHA256},
    "fairness": {"attribute": TEXT, "metrics": NUMBERS},
    "explainability": {"method": TEXT, "importances": NUMBERS},
    "data_quality": {"rows": COUNT, "checks": (_checks, "A list of {name, passed}")},
    "model_card": {"sha256": SHA256},
    "document": {"title": TEXT, "sha256": SHA256},
}

# Kinds that Placet measures itself: a reported one never stands in for a measured one, and no
# gate counts it.
MEASURED_KINDS = frozenset({"scan", "model_signature", "smoke_test", "sbom", "acceleration"})


def evidence_faults(kind: str, data: Any) -> list[FieldError]:
    """Return what is wrong with evidence of ``kind`` holding ``data``."""
    if kind not in KINDS:
        return [FieldError("/kind", f"One of {', '.join(KINDS)}")]
    if not isinstance(data, dict):
        return [FieldError("/data", "An object")]
    faults = json_faults(data, "/data")
    if faults:
        return faults
    if len(json.dumps(data, ensure_ascii=False).encode("utf-8")) > MAX_DATA_BYTES:
        return [FieldError("/data", f"At most {MAX_DATA_BYTES // 1024} kB")]
    if kind == "metrics":
        return _metric_faults(data)
    if kind == "load_test":
        faults += _latency_faults(data)
    for name, (fits, what) in KINDS[kind].items():
        if name not in data:
            faults.append(FieldError(f"/data/{name}", f"Missing. {what}"))
        elif not fits(data[name]):
            faults.append(FieldError(f"/data/{name}", what))
    return faults


def is_latency(name: str) -> bool:
    """Tell whether what a load test measured under this name is a time to answer."""
    return bool(_LATENCY.fullmatch(name))


def _latency_faults(data: dict[str, Any]) -> list[FieldError]:
    return [
        FieldError(f"/data/{escape(name)}", "Milliseconds from 0 on")
        for name, value in data.items()
        if is_latency(name) and number(value) and value < 0
    ]


def card_data(card: str) -> dict[str, str]:
    """Return the data of evidence of a card: the SHA-256 of its text, also of one that is empty."""
    return {"sha256": hashlib.sha256(card.encode()).hexdigest()}


def stored_faults(data: Any) -> list[FieldError]:
    """Return what keeps ``data``, as it was stored before, from being hashed."""
    return json_faults(data, "/data", fits=is_writable)


def is_metric(name: str) -> bool:
    """Tell whether a metric may be called so."""
    return bool(_METRIC.fullmatch(name))


def is_parameter(name: str) -> bool:
    """Tell whether a parameter may be called so."""
    return 1 <= len(name) <= 200 and name.isprintable()


def _metric_faults(data: dict[str, Any]) -> list[FieldError]:
    if not 1 <= len(data) <= MAX_METRICS:
        return [FieldError("/data", f"1 to {MAX_METRICS} metrics: {{name: number}}")]
    faults: list[FieldError] = []
    for name, value in data.items():
        here = f"/data/{escape(name)}"
        if not is_metric(name):
            faults.append(
                FieldError(here, "A metric's name: a letter, then letters, digits, _ . / @ -")
            )
        elif not number(value):
            faults.append(FieldError(here, "A metric must be a finite number"))
    return faults


def parameter_faults(parameters: Any) -> list[FieldError]:
    """Parameters are what training was set to: names to plain values."""
    if not isinstance(parameters, dict) or len(parameters) > MAX_PARAMETERS:
        return [FieldError("/parameters", f"An object of at most {MAX_PARAMETERS} parameters")]
    faults = json_faults(parameters, "/parameters")
    for name, value in parameters.items():
        here = f"/parameters/{escape(str(name))}"
        if not is_parameter(str(name)):
            faults.append(FieldError(here, "A name has 1 to 200 printable characters"))
        if len(json.dumps(value, default=str)) > 10_000:
            faults.append(FieldError(here, "A value may have at most 10 kB"))
    return faults


def tag_faults(tags: Any) -> list[FieldError]:
    """Tags are short texts by name."""
    if not isinstance(tags, dict) or len(tags) > MAX_TAGS:
        return [FieldError("/tags", f"An object of at most {MAX_TAGS} tags")]
    faults = json_faults(tags, "/tags")
    for name, value in tags.items():
        here = f"/tags/{escape(str(name))}"
        if not _TAG.fullmatch(str(name)):
            faults.append(FieldError(here, "A tag's name: letters, digits, _ . -, at most 60"))
        elif not isinstance(value, str) or len(value) > 250 or not value.isprintable():
            faults.append(FieldError(here, "Printable text of at most 250 characters"))
    return faults


def lineage_faults(lineage: Any) -> list[FieldError]:
    """Where a version came from: ``{datasets, code, run, parent}``, each optional."""
    if not isinstance(lineage, dict) or not set(lineage) <= {"datasets", "code", "run", "parent"}:
        return [FieldError("/lineage", "An object with datasets, code, run, parent, each optional")]
    faults = json_faults(lineage, "/lineage")
    if faults:
        return faults
    datasets = lineage.get("datasets", [])
    if not isinstance(datasets, list) or len(datasets) > 100:
        faults.append(FieldError("/lineage/datasets", "A list of at most 100 {name, digest}"))
    else:
        faults += [f for i, d in enumerate(datasets) for f in _dataset_faults(d, i)]
    faults += _shape(lineage, "code", {"repository": TEXT, "commit": COMMIT})
    faults += _shape(lineage, "run", {"id": TEXT, "url": TEXT})
    parent = lineage.get("parent", "ver_" + "0" * 32)
    if not isinstance(parent, str) or not (is_id(parent) and parent.startswith("ver_")):
        faults.append(FieldError("/lineage/parent", "The id of a version: ver_…"))
    return faults


def _dataset_faults(dataset: Any, position: int) -> list[FieldError]:
    here = f"/lineage/datasets/{position}"
    if not isinstance(dataset, dict) or set(dataset) != {"name", "digest"}:
        return [FieldError(here, "An object {name, digest}")]
    faults = [] if _text(dataset["name"]) else [FieldError(f"{here}/name", TEXT[1])]
    digest = dataset["digest"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        faults.append(FieldError(f"{here}/digest", "sha256: and 64 lower-case hex digits"))
    return faults


def _shape(lineage: dict[str, Any], name: str, fields: dict[str, Check]) -> list[FieldError]:
    value = lineage.get(name, {})
    if not isinstance(value, dict) or not set(value) <= set(fields):
        return [FieldError(f"/lineage/{name}", f"An object with {', '.join(fields)}")]
    return [
        FieldError(f"/lineage/{name}/{key}", fields[key][1])
        for key, item in value.items()
        if not fields[key][0](item)
    ]


def evidence_digest(
    version: str, kind: str, source: str, bento_digest: str, data: dict[str, Any], by: str
) -> str:
    """Return what a request binds: the digest of the fact with where it came from."""
    return canonical.digest(
        {
            "v": 1,
            "version": version,
            "kind": kind,
            "source": source,
            "bento_digest": bento_digest,
            "data": data,
            "by": by,
        }
    )
