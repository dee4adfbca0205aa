"""Readers of foreign bytes at their bounds and just over them, by the row of the table."""

import io
import json
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import requests
from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from fido2.webauthn import AuthenticationResponse
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestLine
from gunicorn.http.parser import RequestParser
from rest_framework.exceptions import ValidationError

from apps.audit.witnesses import folder as witness_folder
from apps.discussions import markdown as discussed
from apps.discussions.contents import FILE_BYTES, SentFile, checked
from apps.governance import policies
from apps.identity.sign_in import provider_answers
from apps.identity.trust import passkey_answers
from apps.monitoring import prediction_lines
from apps.monitoring.api.outcomes import OutcomeReportSerializer
from apps.registry import cards, formats
from apps.registry.actions import signing_keys
from apps.registry.errors import FormatUnknown
from apps.registry.formats import Files, base, json_stream, protobuf
from apps.registry.rules import size
from placet.kernel import markdown, outbound, yaml_text
from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import InvalidInput, TooLarge
from placet_agent import client
from placet_agent.downloads.bentos import BentoFolder, BentoRefused
from placet_agent.reports import counting
from placet_protocol import bounded, service_facts
from placet_protocol.fields import ProtocolError
from placet_verify import canonical
from placet_verify.archive import ArchiveLimits, ArchiveRefused, extract
from placet_verify.bundle import bundle
from placet_verify.errors import Malformed, Refused
from placet_verify.log import archived_events, submission, tlog_proof
from placet_verify.permit import permit
from placet_verify.signing import model_signature
from placet_verify.signing.webauthn import encode
from placet_verify.time import timestamp
from workers.builder import untrusted_files
from workers.builder.scanning import files as scanned
from workers.builder.scanning import headers, ubjson
from workers.builder.scanning.walker import walk_pickle

Case = tuple[Callable[[], Any], Callable[[], Any], type[Exception]]


def files_of(**contents: bytes) -> Files:
    named = {".".join(name.rsplit("_", 1)): raw for name, raw in contents.items()}
    sizes = {path: len(raw) for path, raw in named.items()}

    def read(path: str, limit: int) -> bytes:
        if len(named[path]) > limit:
            raise TooLarge
        return named[path]

    return Files(sizes, read, lambda path: io.BytesIO(named[path]))


def told(name: str, **contents: bytes) -> None:
    """Raise unless files tell a signature, or requirements of a project."""
    found = formats.derive(name, files_of(**contents))
    if found.signature is None and name != "bentoml":
        raise FormatUnknown(found.faults[0].detail)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def part(number: int, content: bytes) -> bytes:
    """A field of protobuf with content of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def graph(fields: int) -> bytes:
    """An ONNX file of so many fields."""
    value = part(1, b"x") + part(2, part(1, b"\x08\x01"))
    whole = b"\x08\x09" + part(7, part(11, value) + part(12, value))
    return whole + b"\x10\x00" * (fields - 12)


def forest(names: int) -> bytes:
    listed = b",".join([b'"a"'] * names)
    return b'{"learner":{"feature_names":["a"],"attributes":{},"gradient_booster":{},' + (
        b'"objective":{"a":[%b]}}}' % listed
    )


def header(features: int) -> bytes:
    names = b" ".join(b"a%d" % number for number in range(features))
    return b"tree\nversion=v4\nmax_feature_idx=%d\nfeature_names=%b\n\n" % (features - 1, names)


MLMODEL = b"""flavors: {python_function: {loader_module: mlflow.sklearn, python_version: 3.11.2}}
signature:
  inputs: '[{"name": "a", "type": "double"}]'
  outputs: '[{"name": "p", "type": "long"}]'
"""
SERVICE = b"[tool.bentoml.build]\nservice = 'service:S'\n"


def example(count: int) -> None:
    """Raise unless an example of MLflow is read."""
    raw = b"[" + b",".join([b'{"a":1.5}'] * count) + b"]"
    found = formats.derive("mlflow", files_of(MLmodel=MLMODEL, input_example_json=raw))
    if found.example is None:
        raise ValueError(f"left out at {canonical.weight(raw)}")


def said(parameters: str) -> None:
    """Raise unless a version may say so much."""
    if size.size_faults({"parameters": parameters, "lineage": {}}):
        raise ValueError("it says too much")


def archived(folder: Path, count: int) -> None:
    path = folder / f"{count}.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            archive.addfile(tarfile.TarInfo(f"{number}.txt"))
    extract(path, folder / f"{count}", ArchiveLimits(files=3))


def bundled(folder: Path, count: int) -> None:
    place = folder / f"bundle{count}"
    place.mkdir()
    for number in range(count):
        (place / f"{number}").touch()
    bundle.read(place, most=3)


def left(folder: Path, size: int) -> None:
    path = folder / "left.json"
    path.write_bytes(b'"' + b"a" * (size - 2) + b'"')
    untrusted_files.read_json(path, 100)


def verdict_of(raw: bytes) -> None:
    """Raise unless a pickle is followed to its end."""
    if (walk := walk_pickle(io.BytesIO(raw))).error:
        raise ValueError(walk.error)


def scanned_within(folder: Path, count: int) -> None:
    """Raise unless so many files are scanned."""
    place = folder / f"scanned{count}"
    place.mkdir()
    for number in range(count):
        (place / f"{number}.txt").write_text("a")
    scanner = scanned.Scanner(place)
    scanner.scan_files()
    if scanner.report.verdict() == "unknown":
        raise ValueError(scanner.report.findings)


def cases(folder: Path) -> dict[str, Case]:
    """Return for each row what is taken, what is refused, and by which error."""
    least = canonical.weight(b"[[1]]")
    rows = {"rows": [0] * bounded.MAX_ROWS}, {"rows": [0] * (bounded.MAX_ROWS + 1)}
    yaml = b"a: [" + b"1," * (yaml_text.MAX_NODES - 4) + b"1]"
    stamp = b"\x30" * timestamp.LARGEST

    def row(at: Any, over: Any, error: type[Exception], read: Callable[[Any], Any]) -> Case:
        return (lambda: read(at)), (lambda: read(over)), error

    return {
        "heads of requests: line, headers, cookies, query": row(
            4094, 4095, LimitRequestLine, line_of
        ),
        "JSON bodies of requests": row(nested(32), nested(33), InvalidInput, strict_loads),
        "forms of pages": row("a&" * 1999 + "a", "a&" * 2000 + "a", TooManyFieldsSent, QueryDict),
        "YAML": row(
            yaml,
            yaml + b" " + b"\nb: 1",
            yaml_text.YamlFault,
            lambda raw: yaml_text.read(raw.decode()),
        ),
        "policies": row(
            policy(0), policy(1), policies.PolicyFault, within("is longer than", policies.parse)
        ),
        "model cards": row(
            "a" * cards.MAX_CARD_BYTES,
            "a" * (cards.MAX_CARD_BYTES + 1),
            cards.CardError,
            cards.parse,
        ),
        "comments in discussions": row(
            "a\n" * (discussed.BOUND.marks // 4),
            "a\n" * (discussed.BOUND.marks // 4 + 1),
            markdown.TooMuch,
            lambda text: markdown._html(text, discussed.BOUND, 4),
        ),
        "files of comments": row(
            FILE_BYTES,
            FILE_BYTES + 1,
            InvalidInput,
            lambda size: checked([SentFile("rows.csv", b"1" * size)]),
        ),
        "build files in TOML": row(
            20,
            21,
            FormatUnknown,
            lambda parts: told(
                "bentoml",
                pyproject_toml=SERVICE + b"[tool.x]\n" + b".".join([b"a"] * parts) + b"=1",
                service_py=b"",
            ),
        ),
        "lists of requirements": row(
            300,
            301,
            FormatUnknown,
            lambda count: told("mlflow", MLmodel=MLMODEL, requirements_txt=b"a\n" * count),
        ),
        "ONNX files, when a version is finalised": row(
            protobuf.MAX_FIELDS,
            protobuf.MAX_FIELDS + 1,
            FormatUnknown,
            lambda count: told("onnx", m_onnx=graph(count)),
        ),
        "XGBoost's JSON, when a version is finalised": row(
            json_stream.MAX_ITEMS - 1,
            json_stream.MAX_ITEMS,
            FormatUnknown,
            lambda count: told("xgboost", m_json=forest(count)),
        ),
        "headers of LightGBM, when a version is finalised": row(
            base.MAX_FEATURES,
            base.MAX_FEATURES + 1,
            FormatUnknown,
            lambda count: told("lightgbm", m_txt=header(count)),
        ),
        "what a version says of itself": row(
            size.MAX_BYTES - 4, size.MAX_BYTES - 3, ValueError, lambda length: said("a" * length)
        ),
        "examples of MLflow": row(61_000, 66_000, ValueError, example),
        "signatures of models": row(
            b" " * model_signature.MAX_BYTES,
            b" " * (model_signature.MAX_BYTES + 1),
            Malformed,
            within("has more than", model_signature.read),
        ),
        "public keys": row(signing_keys.MAX_PEM, signing_keys.MAX_PEM + 1, ValueError, pem),
        "uploaded archives, and Bentos on a node": row(
            3, 4, ArchiveRefused, lambda count: archived(folder, count)
        ),
        "captured predictions": row(
            prediction_lines.MAX_LINES,
            prediction_lines.MAX_LINES + 1,
            ValueError,
            lambda size: prediction_lines.unpack(zlib.compress(b"a" * (size - 1) + b"\n")),
        ),
        "outcomes": row(1000, 1001, ValidationError, outcomes),
        "what nodes report": row(
            *rows, ProtocolError, lambda data: bounded.rows(data, "rows", lambda item, at: item)
        ),
        "what a program in the sandbox of a build left": row(
            100, 101, OSError, lambda size: left(folder, size)
        ),
        "anything scanned": row(3, 4, ValueError, lambda count: scanned_within(folder, count)),
        "pickles, scanned": row(
            pickle.dumps([1, 2, 3, 4], 2), pickle.dumps([1, 2, 3, 4, 5], 2), ValueError, verdict_of
        ),
        "safetensors, Keras and skops, scanned": row(
            100, 101, headers.NotOne, lambda size: headers.safetensors(io.BytesIO(tensors(size)))
        ),
        "XGBoost and LightGBM, scanned": row(
            64,
            65,
            ubjson.NotUbjson,
            lambda depth: ubjson.decode(
                io.BytesIO(b"{U\x01a" + b"[" * (depth - 1) + b"Z" + b"]" * (depth - 1) + b"}")
            ),
        ),
        "permits and signed statements": row(
            " " * permit.MAX_BYTES,
            " " * (permit.MAX_BYTES + 1),
            Refused,
            within("larger than 1 MiB", permit._parts),
        ),
        "bundles": row(3, 4, Malformed, lambda count: bundled(folder, count)),
        "time stamps (ASN.1)": row(
            stamp, stamp + b"\x30", Refused, within("has more than", timestamp.token_in)
        ),
        "archives of the log": row(least, least + 1, Malformed, lambda size: logged(folder, size)),
        "proofs of one event": row(
            "a" * tlog_proof.MAX_BYTES,
            "a" * (tlog_proof.MAX_BYTES + 1),
            Malformed,
            within("larger than 16 MiB", tlog_proof.parse),
        ),
        "answers of passkeys at sign-in (CBOR)": row(
            passkey_answers.MAX_CHARACTERS, passkey_answers.MAX_CHARACTERS + 1, ValueError, passkey
        ),
        "answers of the identity provider": row(
            provider_answers.MAX_BYTES,
            provider_answers.MAX_BYTES + 1,
            provider_answers.NoAnswer,
            provider,
        ),
        "notes that witnesses keep, and what they answer": row(
            1 << 16, (1 << 16) + 1, ValueError, lambda size: noted(folder, size)
        ),
        "what replicas answer and write, on their node": row(
            1 << 18, (1 << 18) + 1, ValueError, lambda size: counted(folder, size)
        ),
        "submissions to a witness": row(
            b"a" * submission.MAX_BYTES,
            b"a" * (submission.MAX_BYTES + 1),
            Malformed,
            within("at most 64 KiB", submission.parse),
        ),
        "answers from elsewhere: Prometheus, webhooks, authorities": row(
            100,
            101,
            outbound.OutboundFailed,
            lambda size: outbound._received(answered(b"a" * size), 100),
        ),
        "what a build wrote into a Bento, on a node": row(
            service_facts.MAX_BYTES,
            service_facts.MAX_BYTES + 1,
            BentoRefused,
            lambda size: built(folder, size),
        ),
        "the platform's answers to a node": row(
            100,
            101,
            client.Unreachable,
            lambda size: client._whole(answered(b"{}".rjust(size))),
        ),
    }


def answered(body: bytes) -> httpx.Response:
    """Return an answer that nobody has read yet."""
    request = httpx.Request("GET", "http://localhost/")
    return httpx.Response(200, stream=httpx.ByteStream(body), request=request)


def outcomes(count: int) -> None:
    one = {"prediction": "01234567-89ab-4cde-8f01-23456789abcd", "name": "fraud", "value": 1}
    OutcomeReportSerializer(data={"outcomes": [one] * count}).is_valid(raise_exception=True)


def policy(more: int) -> str:
    """A policy as long as one may be, and so many bytes more."""
    text = "version: 1\ngates: []\n"
    return text + "#" * (policies.MAX_BYTES - len(text) + more)


def within(words: str, read: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Have what is refused for other reasons than its size pass."""

    def size_alone(value: Any) -> None:
        try:
            read(value)
        except (Refused, policies.PolicyFault) as refused:
            if words in str(refused):
                raise

    return size_alone


def pem(size: int) -> None:
    if "has at most" in signing_keys._read("a" * size)[1][0].detail:
        raise ValueError


def tensors(size: int) -> bytes:
    """A file of safetensors without tensors, whose header has ``size`` bytes."""
    text = json.dumps({"__metadata__": {"a": ""}})
    return size.to_bytes(8, "little") + text.ljust(size).encode()


def logged(folder: Path, size: int) -> None:
    path = folder / "log.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"a" * size)
    with archived_events.opened(path) as file:
        archived_events.member(file, "a")


def line_of(size: int) -> None:
    """Read a request whose line has ``size`` bytes."""
    line = b"GET /".ljust(size - len(b" HTTP/1.1"), b"a") + b" HTTP/1.1"
    next(RequestParser(Config(), iter([line + b"\r\nHost: a\r\n\r\n"]), ("127.0.0.1", 1)))


def passkey(size: int) -> None:
    """Raise unless an answer of so many characters can be read."""
    client_data = encode(
        b'{"type":"webauthn.get","challenge":"AA","origin":"http://localhost:8000"}'
    )
    parts = {"clientDataJSON": client_data, "authenticatorData": encode(bytes(37)), "signature": ""}
    said = json.dumps({"rawId": "AA", "response": parts}).ljust(size)
    if not passkey_answers.can_be_read(said, AuthenticationResponse):
        raise ValueError("it cannot be read")


def provider(size: int) -> None:
    """Read an answer of so many bytes."""
    answer = requests.Response()
    answer.raw = io.BytesIO(b"{}".ljust(size))
    provider_answers.check(provider_answers.received(answer))


def noted(folder: Path, size: int) -> None:
    """Raise unless a note of so many bytes is read whole."""
    place = folder / f"witness{size}"
    place.mkdir()
    (place / "7.txt").write_bytes(b"a" * size)
    [kept] = witness_folder.WitnessFolder(place).newest()
    if len(kept.note) < size:
        raise ValueError("it is cut off, and so no note that anybody signed")


def counted(folder: Path, size: int) -> None:
    """Raise unless counts of so many bytes are read."""
    path = folder / "counts.json"
    counts = dict.fromkeys(asdict(counting.Count()), 1) | {"reason": ""}
    path.write_bytes(json.dumps({"a": counts}).encode().rjust(size))
    if "a" not in counting.read(path):
        raise ValueError("it is not read")


def built(folder: Path, size: int) -> None:
    """Read the facts of a Bento that have so many bytes."""
    bentos, digest = BentoFolder(folder, client.Client.__new__(client.Client)), "sha256:" + "a" * 64
    path = bentos.path(digest) / service_facts.PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}".rjust(size))
    bentos.facts(digest)
