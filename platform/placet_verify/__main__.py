"""The offline verifier: ``python -m placet_verify bundle | recall | log | decision | permit | …``.

Needs no server and no database. Prints exactly what was checked and from which checkpoint and
root; exit code 0 when all of it holds, 1 when something does not. ``unit`` recomputes which
revision a unit gets.
"""

import argparse
import base64
from collections.abc import Sequence
from pathlib import Path

from placet_verify import canonical, times
from placet_verify.bundle import bundle, export
from placet_verify.commands import archives, stamps, units, whole
from placet_verify.commands.printing import add_witnesses, conclude, say, say_witnesses
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, seals, tlog_proof
from placet_verify.log.checking import LogReport, read_records, verify_log
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.log.tiles import stored
from placet_verify.permit import serving
from placet_verify.permit.approvers import Signed, read_enrolments
from placet_verify.permit.permit import holds
from placet_verify.signing import dsse, model_signature
from placet_verify.signing.keys import KeyRing, PublicKey
from placet_verify.signing.webauthn import Assertion
from placet_verify.statements import (
    DecisionStatement,
    PasskeyDecision,
    PasskeyPolicy,
    parse,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verification; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        right: bool = options.run(options)
    except Refused as refusal:
        say(f"REFUSED: {refusal.sentence}")
        return 1
    except OSError as error:
        say(f"REFUSED: {error.filename}: {error.strerror}")
        return 1
    return 0 if right else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="placet_verify", description=__doc__)
    commands = parser.add_subparsers(required=True)
    log = _add_log(commands)
    decision = commands.add_parser("decision", help="verify an exported decision")
    decision.add_argument("folder", type=Path)
    decision.add_argument("--keys", type=Path, help="keys.json: also check what the key may do")
    decision.add_argument("--root", type=Path, help="the root key that signed keys.json")
    decision.set_defaults(run=verify_decision_folder)
    permit = commands.add_parser("permit", help="verify the permit of a release")
    permit.set_defaults(run=verify_permit_file)
    proof = commands.add_parser("proof", help="verify one event by its .tlog-proof file")
    proof.add_argument("--body", type=Path, help="the event's body, if the file does not hold it")
    proof.set_defaults(run=verify_proof_file)
    for command in (permit, proof):
        command.add_argument("file", type=Path)
        command.add_argument("--keys", type=Path, required=True)
        command.add_argument("--root", type=Path, required=True)
    for command in (log, proof):
        add_witnesses(command)
    whole.add_to(commands)
    _add_model_and_pack(commands)
    archives.add_to(commands)
    stamps.add_to(commands)
    units.add_to(commands)
    return parser


def _add_log(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    log = commands.add_parser("log", help="verify an exported log")
    log.add_argument("folder", type=Path)
    log.add_argument(
        "--root", type=Path, help="the root key you were given (default: the export's)"
    )
    log.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that you kept yourself",
    )
    log.add_argument(
        "--tsa",
        type=Path,
        action="append",
        default=[],
        help="the certificate (PEM) of a time-stamping authority",
    )
    log.add_argument("--bodies", action="store_true", help="also read every body: form and times")
    log.set_defaults(run=verify_log_folder)
    return log


def _add_model_and_pack(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("model", help="verify a model's folder by its model.sig")
    command.add_argument("folder", type=Path)
    command.add_argument("--key", type=Path, required=True, help="the signer's public key (PEM)")
    command.add_argument("--signature", type=Path, help="default: model.sig in the folder")
    command.set_defaults(run=verify_model_folder)
    alone = commands.add_parser("pack", help="write the verifier as one file")
    alone.add_argument("file", type=Path)
    alone.set_defaults(run=write_verifier)


def verify_log_folder(options: argparse.Namespace) -> bool:
    """Verify ``events.jsonl`` against ``checkpoint.txt``, tiles if there are any, and what
    checkpoints the reader kept."""
    folder: Path = options.folder
    ring = _ring(folder / "keys.json", options.root or folder / "root.pub")
    if options.root is None:
        say("the root key came with the export: compare its fingerprint with the one you know")
    newest = _checkpoint(folder / "checkpoint.txt", ring)
    seen = folder / "cosigned.txt"
    stamped = stamps.notes(folder / "timestamps", options.tsa)
    kept = [_checkpoint(path, ring) for path in [*options.checkpoint, *stamped, *_there(seen)]]
    if others := {one.origin for one in kept} - {newest.origin}:
        raise Refused("other_log", f"a checkpoint is of another log: {', '.join(sorted(others))}")
    if any(one.size > newest.size for one in kept):
        say("FAULT: size: a checkpoint that you kept has more leaves than this export")
        return False
    with (folder / "events.jsonl").open("rb") as lines:
        report = verify_log(
            read_records(lines),
            heads=[(one.size, one.root) for one in (newest, *kept)],
            tiles=stored(folder),
            complete=True,
            canonical_bodies=options.bodies,
            monotone=options.bodies,
            ring=ring,
        )
    right = _say_report(report, newest, options.root)
    if right:
        witnessed = kept[-1] if seen.exists() else newest
        say_witnesses(witnessed, options)
        for line in stamps.of_folder(folder / "timestamps", options.tsa, ring, newest):
            say(line)
    return right


def verify_decision_folder(options: argparse.Namespace) -> bool:
    """Verify an exported decision's files against each other and, given the keys, its key."""
    folder: Path = options.folder
    envelope = dsse.Envelope.from_json(_read(folder / "envelope.json"))
    key = PublicKey.load(folder / "key.pem")
    files = export.decision_bundle(envelope, key)
    passkey = _exported_passkey(folder)
    if passkey is not None:
        files |= export.passkey_bundle(envelope.payload, *passkey)
    for name, content in files.items():
        if not name.endswith(".txt") and (folder / name).read_bytes() != content:
            raise Refused("differs", f"{name} is not what the envelope holds")
    say(f"signature: Ed25519 by key {key.id} over {len(envelope.pae)} bytes")
    if options.keys:
        if options.root is None:
            raise Refused("no_root", "name the root key with --root to check keys.json")
        _ring(options.keys, options.root).verify(envelope, "decision")
        say(f"key {key.id} was a decision key of the installation when this was signed")
    else:
        say("whose key that is was not checked: give --keys and --root for it")
    statement = parse(envelope.payload)
    if not isinstance(statement, DecisionStatement):
        raise Refused("wrong_type", "this is no decision")
    if isinstance(statement, PasskeyDecision):
        _say_passkey(Signed(envelope, passkey[0] if passkey else None), statement, passkey, options)
    _say_decision(statement)
    say("ok: the decision is exactly what was signed")
    return True


def verify_permit_file(options: argparse.Namespace) -> bool:
    """Verify a permit and say what it lets run."""
    ring = _ring(options.keys, options.root)
    permit = holds(_read(options.file), ring)
    request = permit.request
    say(f"policy: number {permit.policy.number}, {request.policy_digest}")
    for decision in permit.decisions:
        _say_decision(decision)
    for line in bundle.break_glass_lines(permit):
        say(line)
    if isinstance(permit.policy, PasskeyPolicy):
        say(f"the policy was published by {permit.policy.published_by} with a passkey")
    if permit.passkeys:
        say("each of those passkeys is enrolled, up to the root key")
    say(f"release {request.release}: {request.bento_digest}")
    say(f"behind endpoint {request.endpoint} in {request.environment} of {request.project}")
    say(f"network: {serving.network(request.serving)}")
    say(f"may be started until {times.rfc3339(permit.not_after)}")
    say("not checked: whether a recall took it away since (its bundle tells that)")
    say("ok: the permit holds for exactly this")
    return True


def verify_proof_file(options: argparse.Namespace) -> bool:
    """Verify that one event is in the signed log, and say it."""
    ring = _ring(options.keys, options.root)
    proof = tlog_proof.parse(_read(options.file))
    body = options.body.read_bytes() if options.body else proof.extra
    if not body:
        raise Refused("no_body", "the file does not hold the event's body: name it with --body")
    signed = tlog_proof.verify(proof, checkpoint.log_keys(ring), body)
    root = base64.b64encode(signed.root).decode("ascii")
    say(f"checkpoint: {signed.size} leaves of {signed.origin}, root {root}, signature good")
    say_witnesses(signed, options)
    if sentence := seals.fault(body.decode("utf-8", "replace"), proof.index, ring):
        say(f"UNSEALED leaf {proof.index}: {sentence}: it gives no access")
    say(body.decode("utf-8", "replace"))
    say(f"ok: this is event {proof.index} of {signed.origin}")
    return True


def verify_model_folder(options: argparse.Namespace) -> bool:
    """Verify that exactly the files of a folder were signed by one key, whatever it says itself."""
    folder, inside = options.folder, options.folder / model_signature.FILE_NAME
    files = model_signature.digests_in(folder)
    if options.signature is None:
        files.pop(model_signature.FILE_NAME, None)
    key = model_signature.ModelSigningKey.from_pem(options.key.read_bytes())
    check = model_signature.check((options.signature or inside).read_bytes(), files, [key])
    if check.result != "trusted":
        raise Refused("other_key", f"it is not by this key: it names {check.key or 'none'}")
    say(f"key: {check.key}")
    say(f"ok: these {check.files} files, byte for byte and no other, were signed by this key")
    return True


def write_verifier(options: argparse.Namespace) -> bool:
    """Write this verifier as one file, and say its digest."""
    from placet_verify.commands.pack import packed  # what was packed packs nothing

    content = packed()
    options.file.write_bytes(content)
    say(f"{options.file}: {len(content)} bytes, {canonical.digest(content)}")
    return True


def _say_report(report: LogReport, newest: Checkpoint, root: Path | None) -> bool:
    hidden = report.size - report.bodies
    say(f"{report.size} leaves: {report.bodies} bodies hashed, {hidden} known by their hash alone")
    say(f"{report.tiles} tiles compared")
    for size in report.heads:
        say(f"agrees with the checkpoint over {size} leaves")
    if report.fault is not None:
        say(f"FAULT at {report.fault.place}: {report.fault.sentence}")
        return False
    for fault in report.unsealed:
        say(f"UNSEALED {fault.sentence}")
    if report.unsealed:
        say(
            "the log is what was signed, but these events were appended past Placet: they claim to"
            " give access and give none"
        )
        return False
    conclude(f"the log is exactly the {newest.size} leaves that the checkpoint signs", root)
    return True


def _exported_passkey(folder: Path) -> tuple[Assertion, list[Signed]] | None:
    if not (folder / "assertion.json").is_file():
        return None
    chain = canonical.loads(_read(folder / "enrolments.json"))
    if not isinstance(chain, list):
        raise Malformed("enrolments.json is no list")
    assertion = Assertion.from_dict(canonical.loads(_read(folder / "assertion.json")))
    return assertion, [Signed.from_dict(entry) for entry in chain]


def _say_passkey(
    signed: Signed,
    decision: PasskeyDecision,
    exported: tuple[Assertion, list[Signed]] | None,
    options: argparse.Namespace,
) -> None:
    """Say who vouches for the passkey, where the root is known to check it from."""
    if exported is None:
        raise Refused("no_assertion", "a passkey signed this, and its answer is not in the export")
    if not options.keys:
        say("who vouches for the passkey was not checked: give --keys and --root for it")
        return
    read_enrolments(exported[1], _ring(options.keys, options.root)).check(
        signed, person=decision.person, credential=decision.credential, at=decision.at
    )
    say("the passkey is enrolled: somebody vouches for it, and so on up to the root key")


def _say_decision(decision: DecisionStatement) -> None:
    when = times.rfc3339(decision.at)
    signed = ", with a passkey" if isinstance(decision, PasskeyDecision) else ""
    say(f"{decision.person} as {decision.role}: {decision.verdict} at {when}{signed}")


def _ring(keys: Path, root: Path) -> KeyRing:
    public = PublicKey.load(root)
    ring = KeyRing.open(_read(keys), public)
    say(f"root key: {public.fingerprint}")
    say(f"keys.json: number {ring.number}, signed by the root")
    return ring


def _checkpoint(path: Path, ring: KeyRing) -> Checkpoint:
    head = checkpoint.verify(_read(path), checkpoint.log_keys(ring))
    root = base64.b64encode(head.root).decode("ascii")
    say(f"checkpoint {path}: {head.size} leaves of {head.origin}, root {root}, signature good")
    return head


def _there(path: Path) -> list[Path]:
    return [path] if path.exists() else []


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{path.name} is not UTF-8 text") from None


if __name__ == "__main__":
    raise SystemExit(main())
