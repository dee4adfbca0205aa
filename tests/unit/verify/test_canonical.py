"""Canonical JSON has one form, and strict reading takes nothing that could be read two ways."""

import contextlib
import json
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify import canonical, times
from placet_verify.errors import Malformed

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_reading_and_writing_again_changes_nothing(value: object) -> None:
    once = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(once)) == once


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=6))
def test_an_object_of_members_written_beforehand_is_the_one_written_at_once(
    value: dict[str, object],
) -> None:
    members = {name: canonical.dumps(one) for name, one in value.items()}
    assert canonical.assembled(members) == canonical.dumps(value)


def test_members_written_beforehand_stand_in_the_order_of_utf_16() -> None:
    value = {"\ufb33": 1, "\U0001f600": 2, "é": 3, 'a"b': 4}
    members = {name: canonical.dumps(one) for name, one in value.items()}
    assert canonical.assembled(members) == canonical.dumps(value)


@pytest.mark.parametrize("value", [2.0**53, -(2.0**53), 1e16, 1e20, 1e21, 1.7e308, 2**53 - 1])
def test_large_numbers_survive_reading_and_writing(value: float) -> None:
    once = canonical.dumps({"value": value})
    assert canonical.loads(once) == {"value": value}
    assert canonical.dumps(canonical.loads(once)) == once


def test_the_order_of_members_does_not_matter_to_a_digest() -> None:
    assert canonical.digest({"b": 1, "a": 2.0}) == canonical.digest({"a": 2, "b": 1})
    assert canonical.digest(b"") == "sha256:" + (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def deep() -> object:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**53,
        "\ud800",
        {"\ud800": 1, "a": 2},
        {1: 2},
        {"a": {1}},
        deep(),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        canonical.dumps(value)


@pytest.mark.parametrize(
    "document",
    [
        '{"a":1,"a":2}',
        "NaN",
        "-Infinity",
        "{} {}",
        "",
        b"\xff",
        "[" * 100_000,
        '{"a":}',
        "1e999",
        "9" * 5000,
    ],
)
def test_json_that_could_be_read_two_ways_is_refused(document: str | bytes) -> None:
    with pytest.raises(Malformed):
        canonical.loads(document)


def built(document: bytes) -> int:
    """Return how many bytes the values take that :mod:`json` makes of a document."""
    tracemalloc.start()
    with contextlib.suppress(ValueError):  # what stands before the fault is made all the same
        json.loads(document)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


@pytest.mark.parametrize(
    "document",
    [
        b"[" + b"[]," * 50_000 + b"1]",
        b"[" + b'{"a":[]},' * 20_000 + b"1]",
        b'["' + b"a" * 9 + b'\\\\",' + b"[]," * 50_000 + b"1]",  # a text that ends in a backslash
        b'["a\\"b",' + b"[]," * 50_000 + b"1]",
        b"[" + b"[]," * 50_000 + b'"',  # no end
        ('["\U0001f600' + "a" * 100_000 + '"]').encode(),  # one letter makes each take four bytes
        b"[" + ('"\U0001f600' + "a" * 40 + '",').encode() * 5_000 + b"1]",
        b"[" + b'"\\ud83d\\ude00' + b"a" * 40 + b'",' * 5_000 + b"1]",
        '["\u2200",'.encode("utf-16") + ("[]," * 50_000 + "1]").encode("utf-16-le"),
        '["\u2200",'.encode("utf-32") + ("[]," * 50_000 + "1]").encode("utf-32-le"),
    ],
)
def test_no_document_weighs_less_than_what_is_made_of_it(document: bytes) -> None:
    assert canonical.weight(document) > 0.9 * built(document)


def test_an_escaped_letter_weighs_as_one() -> None:
    document = json.dumps(["\u4e2d" * 100_000]).encode()
    assert len(document) > 600_000
    assert canonical.weight(document) < len(document) + 4 * 101_000


@pytest.mark.parametrize("text", ["a,b:[{" * 1000, '\\"' * 1000, "\\", '"[', "\n[{"])
def test_marks_inside_a_text_are_text(text: str) -> None:
    document = json.dumps([text]).encode()
    assert canonical.weight(document) <= 2 * len(document) + 64


@pytest.mark.parametrize("piece", [b'"', b'"",', b'\\"', b"\\", b"[", b'"a" ', b"\xf0\x9f\x98\x80"])
def test_a_document_of_any_form_is_weighed_in_time_and_memory_of_its_length(piece: bytes) -> None:
    document = b'"' + piece * (4_000_000 // len(piece))
    tracemalloc.start()
    canonical.weight(document)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    started = time.process_time()
    canonical.weight(document)
    assert time.process_time() - started < 2
    assert held < 4 * len(document)


def test_digests_are_recognised_by_their_form() -> None:
    assert canonical.is_digest("sha256:" + "0" * 64)
    for other in ("sha256:" + "0" * 63, "sha256:" + "A" * 64, "0" * 64, None, "sha256:" + "٠" * 64):
        assert not canonical.is_digest(other)


def test_times_have_one_form() -> None:
    text = "2026-11-25T09:58:00.000001Z"
    assert times.rfc3339(times.parse(text)) == text
    with pytest.raises(ValueError, match="time zone"):
        times.rfc3339(datetime(2026, 11, 25))  # noqa: DTZ001  (the point of the test)
    for other in ("2026-11-25", "2026-11-25T09:58:00+00:00", "2026-13-25T09:58:00Z", 5, None):
        with pytest.raises(Malformed):
            times.parse(other)


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    assert canonical.sha256_file(tmp_path / "f") == canonical.digest(b"x" * 3_000_000)


def test_json_escapes_do_not_hide_a_second_spelling() -> None:
    assert canonical.dumps(json.loads('"\\u00e9\\u0007"')) == '"é\\u0007"'.encode()
