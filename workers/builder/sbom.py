"""The software bill of materials: every package of the lock with the hash of its wheel."""

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from workers.builder.runtimes import RuntimeSpec, RuntimeWheel
from workers.builder.spec import BuildSpec


def sbom(spec: BuildSpec, runtime: RuntimeSpec) -> tuple[bytes, int]:
    """Return the CycloneDX document and the number of its components."""
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=spec.model,
        version=str(spec.number),
        bom_ref=f"{spec.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_hex(spec.artifact_digest))],
    )
    parts = [component(wheel) for wheel in runtime.wheels]
    parts.append(
        Component(
            type=ComponentType.PLATFORM,
            name="python",
            version=runtime.python_version,
            bom_ref="python",
        )
    )
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(bom.metadata.component, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode(), len(parts)


def component(wheel: RuntimeWheel) -> Component:
    """Return one wheel as a component."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        name, version = canonicalize_name(wheel.name), None
    version_text = str(version) if version is not None else None
    purl = PackageURL("pypi", None, name, version_text, {"file_name": wheel.name})
    return Component(
        type=ComponentType.LIBRARY,
        name=str(name),
        version=version_text,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
