"""Numbers of bytes as people read them."""


def spell_size(count: int) -> str:
    """Return a number of bytes in the decimal unit that fits, e.g. ``26.1 kB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            places = 0 if unit == "B" or amount >= 100 else 1
            return f"{amount:.{places}f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
