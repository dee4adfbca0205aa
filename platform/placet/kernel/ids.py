"""Public identifiers: a type prefix and a UUIDv7, e.g. ``rel_0199f1c2a8d47c3e9b1f…``."""

import os
import re
import time
from functools import partial

from django.db import models

_PATTERN = re.compile(r"[a-z]{3}_[0-9a-f]{32}")


def uuid7_hex() -> str:
    """Return a UUID version 7 as 32 hex digits (RFC 9562, section 5.7).

    The first 48 bits are Unix time in milliseconds, so ids sort by creation and B-trees grow at
    one end.
    """
    value = int.from_bytes(os.urandom(16), "big")
    value &= ~(((1 << 48) - 1) << 80 | 0xF << 76 | 0x3 << 62)
    value |= (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | 0x2 << 62
    return f"{value:032x}"


def new_id(prefix: str) -> str:
    """Return a fresh public id with the three-letter ``prefix``."""
    return f"{prefix}_{uuid7_hex()}"


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the form of a public id, of whatever type."""
    return _PATTERN.fullmatch(text) is not None


class IdField(models.CharField):  # type: ignore[type-arg]
    """The primary key of every table: a public id whose prefix names the type."""

    def __init__(self, prefix: str = "", **kwargs: object) -> None:
        self.prefix = prefix
        kwargs.update(max_length=40, primary_key=True, editable=False)
        kwargs["default"] = partial(new_id, prefix)
        super().__init__(**kwargs)  # type: ignore[arg-type]

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        """Name the prefix in migrations; everything else follows from it."""
        name, path, args, kwargs = super().deconstruct()
        for key in ("max_length", "primary_key", "editable", "default"):
            kwargs.pop(key, None)
        return name, path, list(args), {"prefix": self.prefix, **kwargs}
