"""What stands in tests/unit needs no service."""

import pytest


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Refuse the database."""
    pytest.fail("a test in tests/unit asks for the database: put it into tests/integration")
