"""The ML bill of materials of a version: CycloneDX 1.7 with a model card, from what is known.

Made anew from the facts each time, in canonical JSON: the same facts give the same bytes, so its
digest can be signed (it is, in a release's verification summary). Nothing is in it that nobody
said: what is not known is left out. Form: https://cyclonedx.org/docs/1.7/json/.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from apps.builds.models import Bento
from apps.registry import cards
from apps.registry.formats import FORMATS
from apps.registry.models import Evidence, ModelVersion
from placet.kernel.clock import rfc3339
from placet_verify import canonical

Json = dict[str, Any]
EvidenceByKind = Mapping[str, Evidence]
CONSIDERATIONS = {
    "users": "users",
    "use_cases": "useCases",
    "technical_limitations": "technicalLimitations",
    "performance_tradeoffs": "performanceTradeoffs",
}
_MODEL = "model"
_PAPERS = {"digital-signature": "model.sig", "attestation": "provenance.json", "bom": "sbom.json"}


def ml_bom(version: ModelVersion, facts: EvidenceByKind, bento: Bento | None) -> bytes:
    """Return the document of a finalised version, as it is known by ``facts``.

    ``bento`` adds the digests of the papers that its build made.
    """
    data = _front_matter(version)
    datasets = [_dataset(entry) for entry in _unique(version.lineage.get("datasets", []))]
    document: Json = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {
            "timestamp": rfc3339(version.finalised_at or version.created_at),
            "component": _component(version, facts, bento, data),
        },
        "components": datasets,
        "dependencies": [
            {"ref": _MODEL, "dependsOn": [dataset["bom-ref"] for dataset in datasets]},
            *({"ref": dataset["bom-ref"]} for dataset in datasets),
        ],
    }
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, canonical.digest(document)).urn
    return canonical.dumps(document)


def _component(
    version: ModelVersion, facts: EvidenceByKind, bento: Bento | None, data: Json
) -> Json:
    papers = list(_papers(bento)) if bento is not None else []
    return _given(
        {
            "type": "machine-learning-model",
            "bom-ref": _MODEL,
            "group": version.project.slug,
            "name": version.model.name,
            "version": str(version.number),
            "hashes": [_hash(version.artifact_digest)],
            "externalReferences": papers,
            "modelCard": _given(
                {
                    "modelParameters": _parameters(version, data),
                    "quantitativeAnalysis": _given({"performanceMetrics": list(_metrics(facts))}),
                    "considerations": _considerations(facts, data),
                }
            ),
            "properties": list(_properties(version)),
        }
    )


def _parameters(version: ModelVersion, data: Json) -> Json:
    signature = version.signature or {}
    datasets = _unique(version.lineage.get("datasets", []))
    kind = FORMATS.get(version.format)
    return _given(
        {
            "task": _word(data, "task") or _word(data, "pipeline_tag"),
            "architectureFamily": _word(data, "architecture_family")
            or (kind.family if kind else ""),
            "modelArchitecture": _word(data, "model_architecture"),
            "datasets": [{"ref": entry["digest"]} for entry in datasets],
            "inputs": [_column(column) for column in signature.get("inputs", [])],
            "outputs": [_column(column) for column in signature.get("outputs", [])],
        }
    )


def _column(column: Json) -> Json:
    shape = column.get("shape")
    sized = f"[{', '.join(map(str, shape))}]" if shape else ""
    return {"format": f"{column['name']}: {column['type']}{sized}"}


def _metrics(facts: EvidenceByKind) -> Iterator[Json]:
    """Metrics as reported: ``recall@over-60`` is that of a slice, and ``recall/lower`` and
    ``recall/upper`` beside ``recall`` are its confidence interval."""
    reported = facts["metrics"].data if "metrics" in facts else {}
    bounds = {
        f"{name}/{side}"
        for name in reported
        for side in ("lower", "upper")
        if f"{name}/lower" in reported and f"{name}/upper" in reported
    }
    for name in sorted(reported.keys() - bounds):
        kind, _, part = name.partition("@")
        metric = _given({"type": kind, "slice": part}) | {"value": _number(reported[name])}
        if f"{name}/lower" in bounds:
            metric["confidenceInterval"] = {
                "lowerBound": _number(reported[f"{name}/lower"]),
                "upperBound": _number(reported[f"{name}/upper"]),
            }
        yield metric
    fairness = facts["fairness"].data if "fairness" in facts else {"metrics": {}}
    for name, value in sorted(fairness["metrics"].items()):
        yield {"type": name, "slice": fairness["attribute"], "value": _number(value)}


def _considerations(facts: EvidenceByKind, data: Json) -> Json:
    section = data.get("considerations")
    entries: Json = section if isinstance(section, dict) else {}
    risks = [
        _given({"name": _word(risk, "name"), "mitigationStrategy": _word(risk, "mitigation")})
        for risk in _list(entries.get("ethical_considerations"))
        if isinstance(risk, dict)
    ]
    groups = [facts["fairness"].data["attribute"]] if "fairness" in facts else []
    return _given(
        {theirs: _texts(entries.get(ours)) for ours, theirs in CONSIDERATIONS.items()}
        | {
            "ethicalConsiderations": [risk for risk in risks if risk],
            "fairnessAssessments": [{"groupAtRisk": group} for group in groups],
        }
    )


def _papers(bento: Bento) -> Iterator[Json]:
    digests = {
        "digital-signature": canonical.digest(bento.model_signature.encode("utf-8")),
        "attestation": canonical.digest(bento.provenance.encode("utf-8")),
        "bom": bento.sbom,
    }
    there = {"digital-signature": bento.model_signature, "attestation": True, "bom": bento.sbom}
    for kind, name in _PAPERS.items():
        if there[kind]:
            yield {"type": kind, "url": name, "hashes": [_hash(digests[kind])]}


def _properties(version: ModelVersion) -> Iterator[Json]:
    code = version.lineage.get("code", {})
    known = {
        "format": version.format,
        "python": version.python_version,
        "code.repository": code.get("repository", ""),
        "code.commit": code.get("commit", ""),
        "parent": version.lineage.get("parent") or "",
    }
    yield from ({"name": f"placet:{k}", "value": value} for k, value in known.items() if value)
    yield from ({"name": "placet:requires", "value": one} for one in version.requirements)


def _dataset(entry: Json) -> Json:
    return {
        "type": "data",
        "bom-ref": entry["digest"],
        "name": entry["name"],
        "hashes": [_hash(entry["digest"])],
        "data": [{"type": "dataset", "name": entry["name"]}],
    }


def _unique(datasets: list[Json]) -> list[Json]:
    """Return each dataset once: two names of the same bytes are one component."""
    return list({entry["digest"]: entry for entry in reversed(datasets)}.values())[::-1]


def _front_matter(version: ModelVersion) -> Json:
    try:
        return cards.parse(version.card).data
    except cards.CardError:
        return {}


def _hash(digest: str) -> Json:
    return {"alg": "SHA-256", "content": digest.removeprefix("sha256:")}


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else canonical.dumps(value).decode("ascii")


def _word(data: Json, name: str) -> str:
    value = data.get(name)
    return _sound(value) if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else _list(value)
    return [_sound(text) for text in texts if isinstance(text, str) and text]


def _sound(text: str) -> str:
    """Return text of a card as JSON can hold it: YAML can name half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _given(members: Json) -> Json:
    """Return what says something: no empty text, list or object."""
    return {name: value for name, value in members.items() if value not in ("", [], {})}
