"""JSON in the database whose numbers come back as those that were hashed."""

import json
import math
from decimal import Decimal
from typing import Any

from django.db import models

_UNSAFE = 2**53


class StoredNumbers(json.JSONDecoder):
    """Reads JSON as PostgreSQL gives it back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_int=whole, **options)


def whole(text: str) -> int | float:
    """Return the number that PostgreSQL writes as ``text``, digits alone.

    Its numbers are decimal: 1e+16 comes back as 10000000000000000. Digests and the log have the
    bytes of the float (RFC 8785, 3.2.2.3), so digits that are those of a float are read as it.
    What no float has, and so nobody hashed, stays a whole number: canonical JSON refuses it.
    """
    number = int(text)
    if abs(number) < _UNSAFE:
        return number
    nearest = float(text)
    same = math.isfinite(nearest) and Decimal(repr(nearest)) == number
    return nearest if same else number


class HashedJSONField(models.JSONField):
    """JSON that goes into digests. The column is that of any ``JSONField``, as migrations say."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"decoder": StoredNumbers})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Name the plain field: only how it is read differs."""
        name, _, args, options = super().deconstruct()
        options.pop("decoder")
        return name, "django.db.models.JSONField", list(args), dict(options)
