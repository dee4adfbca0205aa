"""Names and durations in a policy, and ids, end where they seem to end."""

import pytest
from pydantic import ValidationError

from apps.governance.gates import read
from placet.kernel.durations import seconds
from placet.kernel.ids import is_id, new_id


@pytest.mark.parametrize("text", ["60s\n", "60s ", "\n60s", "60", "0s", "60S"])
def test_a_duration_has_one_form(text: str) -> None:
    assert seconds("60s") == 60
    with pytest.raises(ValueError, match="a whole number and a unit"):
        seconds(text)


@pytest.mark.parametrize("name", ["staging\n", "staging ", "\nstaging", "Staging", ""])
def test_the_name_of_something_has_one_form(name: str) -> None:
    with pytest.raises(ValidationError, match="must be a name of small letters"):
        read({"gate": "soaked", "environment": name, "for": "1h"})
    with pytest.raises(ValidationError, match="must be a list of names"):
        read({"gate": "model_signature", "signers": [name]})


def test_an_id_ends_with_its_digits() -> None:
    assert is_id(new_id("rel"))
    assert not is_id(new_id("rel") + "\n")
