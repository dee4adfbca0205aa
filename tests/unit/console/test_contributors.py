"""Who had a hand in a version: data is owned, code is written."""

import pytest

from apps.console.queries.contributors import DeclaredPart
from apps.registry.models import DeclaredFact


@pytest.mark.parametrize(
    ("fact", "digest", "did", "nobody", "question"),
    [
        (
            DeclaredFact.DATA_OWNER,
            "sha256:aa",
            "owner",
            "Owner not declared",
            "Owner (email)",
        ),
        (
            DeclaredFact.CODE_AUTHOR,
            "",
            "author",
            "Author not declared",
            "Author (email)",
        ),
    ],
)
def test_data_is_owned_and_code_is_written(
    fact: str, digest: str, did: str, nobody: str, question: str
) -> None:
    part = DeclaredPart(fact, "sha256:aa", "Data", [])
    assert (part.digest, part.did, part.nobody, part.question) == (digest, did, nobody, question)
