"""``make prove``: other people's tools accept what Placet signs, and refuse every change of it.

OpenSSF's ``model_signing verify`` on the signature over a model, ``openssl`` on every kind of
signed document, and Debian's ``cosign verify-blob-attestation`` on provenance and verification
summary: first as signed, then after seeded changes of one thing each. The result is written to
``proofs/results/foreign-DATE-COMMIT.json``; a change that is accepted is named in it.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from click.testing import CliRunner  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from placet_verify import canonical  # noqa: E402
from placet_verify.signing import dsse  # noqa: E402
from placet_verify.signing.keys import PrivateKey  # noqa: E402
from placet_verify.statements import (  # noqa: E402
    ProvenanceStatement,
    RequestStatement,
    VerificationSummary,
)
from proofs.record import RESULTS, commit  # noqa: E402
from tests.support.signed_models import private_pem, public_pem, signing_key  # noqa: E402
from workers.builder.provenance import sign_model  # noqa: E402

Changed = dict[str, bytes]
FILES = {"model.onnx": b"weights " * 64, "notes/card.md": b"# A card", ".gitignore": b"*.tmp\n"}
TYPES = {
    "provenance": "slsaprovenance1",
    "summary": "https://slsa.dev/verification_summary/v1",
}


@dataclass
class Tally:
    """What one tool said."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def take(self, kind: str, accepted: bool, detail: str) -> None:
        """Count one answer; ``kind`` is empty for what was signed."""
        if accepted == bool(kind):
            self.faults.append(f"{kind or 'as signed'}: {detail}")
        elif kind:
            self.refused[kind] += 1
        else:
            self.accepted += 1

    def report(self) -> dict[str, Any]:
        """Return it as the proof holds it."""
        changes = dict(sorted(self.refused.items()))
        return {
            "accepted_as_signed": self.accepted,
            "changes_refused": sum(changes.values()),
            "by_kind": changes,
            "faults": self.faults,
        }


def flipped(raw: bytes, chance: random.Random) -> bytes:
    """Return ``raw`` with one bit turned."""
    turned = bytearray(raw)
    turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
    return bytes(turned)


# --- the signature over a model -------------------------------------------------------------------


def _in_bundle(part: str) -> Callable[[Changed, random.Random], None]:
    """Turn a bit of what the bundle's payload or signature decodes to, or of the key's name."""

    def change(files: Changed, chance: random.Random) -> None:
        bundle = json.loads(files["model.sig"])
        envelope = bundle["dsseEnvelope"]
        if part == "payload":
            envelope["payload"] = _flipped_text(envelope["payload"], chance)
        elif part == "signature":
            first = envelope["signatures"][0]
            first["sig"] = _flipped_text(first["sig"], chance)
        else:
            hint = bytearray.fromhex(bundle["verificationMaterial"]["publicKey"]["hint"])
            named = flipped(bytes(hint), chance).hex()
            bundle["verificationMaterial"]["publicKey"]["hint"] = named
        files["model.sig"] = json.dumps(bundle).encode()

    return change


def _flipped_text(text: str, chance: random.Random) -> str:
    return b64encode(flipped(b64decode(text), chance)).decode()


def _in_file(files: Changed, chance: random.Random) -> None:
    name = chance.choice(sorted(FILES))
    files[f"model/{name}"] = flipped(files[f"model/{name}"], chance)


def _without_file(files: Changed, chance: random.Random) -> None:
    del files[f"model/{chance.choice(sorted(FILES))}"]


def _one_more_file(files: Changed, chance: random.Random) -> None:
    place = chance.choice(["", "notes/", ".git/", ".github/", "deep/er/"])
    files[f"model/{place}more-{chance.randrange(1 << 32)}"] = b"" if chance.random() < 0.5 else b"x"


def _renamed(files: Changed, chance: random.Random) -> None:
    name = chance.choice(sorted(FILES))
    files[f"model/{name}.bak"] = files.pop(f"model/{name}")


def _another_key(files: Changed, chance: random.Random) -> None:
    files["key.pem"] = public_pem(signing_key()).encode()


MODEL_CHANGES: dict[str, Callable[[Changed, random.Random], None]] = {
    "a bit of a file": _in_file,
    "a file is missing": _without_file,
    "a file is too many": _one_more_file,
    "a file is renamed": _renamed,
    "a bit of the payload": _in_bundle("payload"),
    "a bit of the signature": _in_bundle("signature"),
    "a bit of the key's name": _in_bundle("hint"),
    "another key": _another_key,
}


def laid_out(folder: Path, files: Changed) -> None:
    """Make ``folder`` hold exactly ``files``."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def signed_by_us(folder: Path, key: ec.EllipticCurvePrivateKey) -> Changed:
    """Return a model, the key, and ``model.sig`` over it as the build worker makes it."""
    files = {f"model/{name}": content for name, content in FILES.items()}
    laid_out(folder, files)
    (folder / "private.pem").write_bytes(private_pem(key))
    text = sign_model(folder / "model", folder / "private.pem", folder / "model.sig")
    return files | {"model.sig": text.encode(), "key.pem": public_pem(key).encode()}


def model_signing_says(folder: Path) -> bool:
    """Ask OpenSSF's own command; in this process, because it takes seconds to be loaded."""
    from model_signing._cli import main as command

    arguments = [
        "verify",
        "key",
        "--no-ignore-git-paths",
        "--public_key",
        str(folder / "key.pem"),
        "--signature",
        str(folder / "model.sig"),
        str(folder / "model"),
    ]
    done = CliRunner().invoke(command, arguments)
    return done.exit_code == 0 and "Verification succeeded" in done.output


def openssl_says(folder: Path) -> bool:
    """Ask ``openssl`` about a model.sig, as the docs show it."""
    envelope = json.loads((folder / "model.sig").read_bytes())["dsseEnvelope"]
    payload = b64decode(envelope["payload"])
    (folder / "pae.bin").write_bytes(dsse.pae(dsse.STATEMENT, payload))
    (folder / "sig.bin").write_bytes(b64decode(envelope["signatures"][0]["sig"]))
    return ran(
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        "key.pem",
        "-signature",
        "sig.bin",
        "pae.bin",
        cwd=folder,
    )


def models(folder: Path, chance: random.Random, count: int) -> dict[str, Tally]:
    """Have the model's signature judged as signed and after ``count`` changes."""
    whole = signed_by_us(folder / "signed", signing_key())
    tallies = {"model_signing verify": Tally(), "openssl dgst (model.sig)": Tally()}
    place, kinds = folder / "tried", ["", *_drawn(MODEL_CHANGES, chance, count)]
    for number, kind in enumerate(kinds):
        files = dict(whole)
        if kind:
            MODEL_CHANGES[kind](files, chance)
        laid_out(place, files)
        where = f"number {number}"
        tallies["model_signing verify"].take(kind, model_signing_says(place), where)
        if "payload" in kind or "signature" in kind or kind in ("", "another key"):
            tallies["openssl dgst (model.sig)"].take(kind, openssl_says(place), where)
    return tallies


# --- statements -----------------------------------------------------------------------------------


def documents(key: PrivateKey, blob: bytes) -> dict[str, bytes]:
    """Return a provenance and a verification summary of a Bento, as signed."""
    at, other = datetime.now(tz=UTC), canonical.digest(b"other")
    made = ProvenanceStatement(
        build="bld_1",
        version="ver_1",
        bento_digest=canonical.digest(blob),
        artifact_digest=other,
        runtime_digest=other,
        sbom_digest=other,
        parameters={"format": "onnx"},
        isolation="bwrap",
        builder="https://placet.dev/builder/v1",
        started_at=at,
        finished_at=at,
    )
    request = RequestStatement(
        release="rel_1",
        project="prj_1",
        environment="production",
        endpoint="end_1",
        artifact_digest=other,
        bento_digest=canonical.digest(blob),
        policy_id="pol_1",
        policy_number=1,
        policy_digest=other,
        plan_digest=other,
        serving={},
        requester="per_1",
        author="per_2",
        not_after=at,
        nonce="n" * 16,
        at=at,
    )
    summary = VerificationSummary.of(
        request, isolation="bwrap", inputs={"provenance.json": other}, at=at
    )
    return {
        "provenance": made.sign(key).to_json().encode(),
        "summary": summary.sign(key).to_json().encode(),
    }


def _in_envelope(part: str) -> Callable[[Changed, random.Random], None]:
    def change(files: Changed, chance: random.Random) -> None:
        envelope = json.loads(files["envelope.json"])
        if part == "payload":
            envelope["payload"] = _flipped_text(envelope["payload"], chance)
        elif part == "type":
            envelope["payloadType"] = "application/vnd.placet.state+json"
        else:
            first = envelope["signatures"][0]
            first["sig"] = _flipped_text(first["sig"], chance)
        files["envelope.json"] = json.dumps(envelope).encode()

    return change


def _in_blob(files: Changed, chance: random.Random) -> None:
    files["bento.tar"] = flipped(files["bento.tar"], chance)


def _other_signer(files: Changed, chance: random.Random) -> None:
    files["key.pem"] = PrivateKey.generate().public.to_pem()


STATEMENT_CHANGES: dict[str, Callable[[Changed, random.Random], None]] = {
    "a bit of the payload": _in_envelope("payload"),
    "a bit of the signature": _in_envelope("signature"),
    "another payload type": _in_envelope("type"),
    "another key": _other_signer,
    "a bit of the Bento": _in_blob,
}


def cosign_says(folder: Path, kind: str) -> bool:
    """Ask Debian's cosign; no transparency log of Sigstore's is involved."""
    return ran(
        "cosign",
        "verify-blob-attestation",
        "--key",
        "key.pem",
        "--insecure-ignore-tlog",
        "--type",
        TYPES[kind],
        "--signature",
        "envelope.json",
        "bento.tar",
        cwd=folder,
    )


def pkeyutl_says(folder: Path) -> bool:
    """Ask ``openssl`` about a statement, as the docs show it."""
    envelope = json.loads((folder / "envelope.json").read_bytes())
    payload = b64decode(envelope["payload"])
    (folder / "pae.bin").write_bytes(dsse.pae(envelope["payloadType"], payload))
    (folder / "sig.bin").write_bytes(b64decode(envelope["signatures"][0]["sig"]))
    return ran(
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "pae.bin",
        "-sigfile",
        "sig.bin",
        cwd=folder,
    )


def statements(folder: Path, chance: random.Random, count: int) -> dict[str, Tally]:
    """Have both kinds of statements judged as signed and after ``count`` changes in all."""
    key, blob = PrivateKey.generate(), chance.randbytes(2000)
    tallies = {"cosign verify-blob-attestation": Tally(), "openssl pkeyutl": Tally()}
    for kind, document in documents(key, blob).items():
        whole = {"envelope.json": document, "key.pem": key.public.to_pem(), "bento.tar": blob}
        changes = ["", *_drawn(STATEMENT_CHANGES, chance, count // 2)]
        for number, change in enumerate(changes):
            files = dict(whole)
            if change:
                STATEMENT_CHANGES[change](files, chance)
            laid_out(folder, files)
            where = f"{kind} number {number}"
            tallies["cosign verify-blob-attestation"].take(change, cosign_says(folder, kind), where)
            if "Bento" not in change:  # openssl sees the statement alone
                tallies["openssl pkeyutl"].take(change, pkeyutl_says(folder), where)
    return tallies


def ran(*command: str, cwd: Path) -> bool:
    """Tell whether a command ended well."""
    quiet = subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=60)
    return quiet.returncode == 0


def _drawn(kinds: dict[str, Any], chance: random.Random, count: int) -> list[str]:
    """Return ``count`` kinds of change: each once, then as chance has it."""
    return [*kinds, *chance.choices(list(kinds), k=max(0, count - len(kinds)))]


def judged(seed: int, count: int) -> dict[str, dict[str, Any]]:
    """Return what each tool said of ``count`` changes of a model and as many of statements."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="placet-foreign-") as name:
        folder = Path(name)
        found = models(folder / "model", chance, count)
        found |= statements(folder / "statements", chance, count)
    return {tool: tally.report() for tool, tally in found.items()}


def main() -> int:
    """Prove it; 1 when a tool refused what is signed or accepted a change."""
    parser = ArgumentParser(description="Have other people's tools judge what Placet signs.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--changes", type=int, default=1000)
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    tools = judged(options.seed, options.changes)
    good = all(tool["accepted_as_signed"] and not tool["faults"] for tool in tools.values())
    report = {
        "what": "foreign verifiers",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "seed": options.seed,
        "tools": tools,
        "good": good,
    }
    out = RESULTS / f"foreign-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
