"""What events say, with things called by name where the reader may know them."""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join

from apps.audit.events import declared, readable
from apps.console.queries.object_names import Named


def in_names(kind: str, data: Mapping[str, Any], names: Mapping[str, Named]) -> str:
    """Return the sentence of an event as HTML: what an id in it names stands there by its name,
    with a link to its page; the id of what is gone or hidden is cut to its ends."""

    def write(value: Any, unit: str) -> str:
        named = names.get(str(value)) if unit == "id" else None
        if named is None or not named.url:
            return named.name if named else readable(value, unit)
        return format_html('<a href="{}">{}</a>', named.url, named.name)

    return format_html_join("", "{}", ((part,) for part in declared(kind).parts(data, write)))


def in_words(kind: str, data: Mapping[str, Any], names: Mapping[str, Named]) -> str:
    """Return the same as plain text."""

    def write(value: Any, unit: str) -> str:
        named = names.get(str(value)) if unit == "id" else None
        return named.name if named else readable(value, unit)

    return declared(kind).sentence(data, write)
