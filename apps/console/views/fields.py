"""Whole numbers of forms and addresses, as they were typed."""

import re

from django.http import HttpRequest

from placet.kernel.problems import FieldError, InvalidInput

NO_NUMBER = "Give a whole number"
DIGITS = 9  # so that it fits where numbers of rows and generations are kept
LONG = 18  # for places in the log


def read_whole(text: str, *, least: int = 0, digits: int = DIGITS) -> int | None:
    """Return ``text`` as a whole number from ``least`` on, ``None`` when it is none, or one of more
    digits."""
    if not re.fullmatch(rf"-?[0-9]{{1,{digits}}}", text.strip()):
        return None
    number = int(text)
    return number if number >= least else None


def whole(
    request: HttpRequest,
    name: str,
    *,
    detail: str = NO_NUMBER,
    least: int = 0,
    digits: int = DIGITS,
) -> int:
    """Return a field of the form as a whole number from ``least`` on.

    Raise :class:`InvalidInput`, which names the field and says ``detail``, when it is none.
    """
    number = read_whole(request.POST.get(name, ""), least=least, digits=digits)
    if number is None:
        raise InvalidInput(errors=[FieldError(f"/{name}", detail)])
    return number


def whole_or_none(request: HttpRequest, name: str, *, detail: str = NO_NUMBER) -> int | None:
    """Return a field as :func:`whole` does, ``None`` when nothing was typed."""
    return whole(request, name, detail=detail) if request.POST.get(name, "").strip() else None
