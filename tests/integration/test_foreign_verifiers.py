"""A slice of the proof that other people's tools accept what Placet signs, and no change of it."""

import shutil

import pytest

from proofs.foreign import MODEL_CHANGES, STATEMENT_CHANGES, judged


@pytest.fixture(scope="module")
def said() -> dict[str, dict[str, object]]:
    assert shutil.which("cosign"), "Debian's package cosign is needed: bin/system cosign"
    return judged(seed=7, count=16)


@pytest.mark.parametrize(
    ("tool", "signed", "kinds"),
    [
        ("model_signing verify", 1, set(MODEL_CHANGES)),
        (
            "openssl dgst (model.sig)",
            1,
            {"a bit of the payload", "a bit of the signature", "another key"},
        ),
        ("cosign verify-blob-attestation", 2, set(STATEMENT_CHANGES)),
        ("openssl pkeyutl", 2, set(STATEMENT_CHANGES) - {"a bit of the Bento"}),
    ],
)
def test_a_foreign_tool_accepts_what_is_signed_and_refuses_every_change(
    said: dict[str, dict[str, object]], tool: str, signed: int, kinds: set[str]
) -> None:
    found = said[tool]
    assert found["faults"] == []
    assert found["accepted_as_signed"] == signed
    by_kind = found["by_kind"]
    assert isinstance(by_kind, dict)
    assert set(by_kind) == kinds
