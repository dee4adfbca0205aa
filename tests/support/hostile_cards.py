"""Model cards that cost a server or a browser as much as 200 kB of Markdown can."""

from apps.registry.cards import MAX_CARD_BYTES


def filled(piece: str, before: str = "", after: str = "") -> str:
    """Return ``piece`` again and again, as often as a card has room for it."""
    room = MAX_CARD_BYTES - len((before + after).encode())
    return before + piece * (room // len(piece.encode())) + after


def wide_table(rows: int) -> str:
    """Return a table of 250 columns in whose rows one cell is written and the others are not."""
    return "|" * 251 + "\n" + "|-" * 250 + "|\n" + "a\n" * rows + "\n"


HOSTILE: dict[str, str] = {
    "one word": filled("a"),
    "one word of wide letters": filled("W"),
    "one word in Chinese": filled("\u754c"),
    "accents": filled("a\u0301"),
    "one letter with accents": filled("\u0301", "a"),
    "joined emoji": filled("\U0001f469\u200d"),
    "right to left": filled("\u05d0\u202ea"),
    "words": filled("a "),
    "lines": filled("a\n"),
    "hard breaks": filled("a\\\n"),
    "paragraphs": filled("a\n\n"),
    "a wide table": "|" + "a|" * 30_000 + "\n|" + "-|" * 30_000 + "\n|" + "b|" * 30_000 + "\n",
    "a wide table of many rows": "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n" + "|b\n" * 60_000,
    "a long table": filled("|b\n", "|a|\n|-|\n"),
    "a square table": "|"
    + "a|" * 200
    + "\n|"
    + "-|" * 200
    + "\n"
    + ("|" + "b|" * 200 + "\n") * 450,
    "short rows of a wide table": wide_table(121),
    "short rows of wide tables": wide_table(260) * 8,
    "short rows of quoted tables": "> " + wide_table(260).replace("\n", "\n> ") * 8,
    "tables": filled("|a|\n|-|\n|b|\n\n"),
    "one word in a table": filled("a", "|a|b|\n|-|-|\n|", "|\n"),
    "open brackets": filled("["),
    "brackets": "[" * 50_000 + "]" * 50_000,
    "brackets and round ones": filled("[a]("),
    "open pictures": filled("!["),
    "links": filled("[a](b)"),
    "links in links": filled("[", after="](b)"),
    "nested links": "[" * 40_000 + "a" + "](b)" * 39_000,
    "links by name": filled("[a]", "[a]: http://x" + "y" * 300 + "\n\n"),
    "links by a long name": filled("[a]", "[a]: http://x" + "y" * 100_000 + "\n\n"),
    "links with a long title": filled("[a]", '[a]: x "' + "&" * 100_000 + '"\n\n'),
    "pictures by name": filled("![a]", "[a]: data:image/png;base64," + "y" * 100_000 + "\n\n"),
    "names": filled("[a]: b\n"),
    "other names": "".join(f"[{n:x}]: b\n" for n in range(18_000)),
    "addresses": filled("<http://a>"),
    "emphasis": filled("*a "),
    "closed emphasis": filled("*a* "),
    "emphasis of two kinds": filled("*a_b "),
    "nested emphasis": "*" * 100_000 + "a" + "*" * 99_000,
    "strong in strong": filled("**a ", after="")[:100_000] + "b** " * 24_000,
    "stars": filled("*"),
    "underscores": filled("_a__"),
    "struck out": filled("~~a~~ "),
    "open strikes": filled("~~a "),
    "code": filled("`a` "),
    "open code": " ".join("`" * n for n in range(1, 620)),
    "backticks": filled("`"),
    "backslashes": filled("\\"),
    "escapes": filled("\\*"),
    "entities": filled("&amp;"),
    "ampersands": filled("&"),
    "opened tags": filled("<"),
    "tags": filled("<a "),
    "comments": filled("<!--"),
    "quotes": filled(">"),
    "nested quotes": "".join("> " * (n % 300) + "a\n" for n in range(600)),
    "nested lists": "".join("  " * n + "- a\n" for n in range(440)),
    "lists in one line": filled("- "),
    "long lists": filled("- a\n"),
    "numbered lists": filled("1. a\n"),
    "lists and quotes": filled("> - "),
    "headings": filled("# a\n"),
    "rules": filled("---\n\n"),
    "underlined": filled("a\n-\n"),
    "code blocks": filled("```\n\n```\n"),
    "one line of code": filled("a", "```\n", "\n```"),
    "wide letters as code": filled("W", "```\n", "\n```"),
    "wide letters in a line of code": filled("W", "`", "`"),
    "wide letters in code that is indented": filled("W", "    "),
    "wide letters in a table": filled("W", "|a|b|\n|-|-|\n|", "|\n"),
    "wide letters in a heading": filled("W", "# "),
    "wide letters in a link": filled("W", "[", "](http://b)"),
    "wide letters as a picture": filled("W", "![", "](http://b)"),
    "wide letters as an address": filled("W", "<http://", ">"),
    "wide letters over and over": filled("W" * 300 + " "),
    "wide letters that are too many": filled("W", "[" * 20_001),
    "indented code": filled("    a\n\n"),
    "spaces": filled(" ", "a", "a"),
    "tabs": filled("\t", "a", "a"),
    "empty lines": filled("\n"),
    # As much of each as is laid out at all
    "columns": "|" + "a|" * 5200 + "\n|" + "-|" * 5200 + "\n|" + "b|" * 5200 + "\n",
    "rows": "|a|b|c|\n|-|-|-|\n" + "|b|b|b|\n" * 1950,
    "list": "- a\n" * 3900,
    "paragraphs that may be": "a\n\n" * 1950,
    "links that may be": "[a](b)" * 7900,
    "links by name that may be": "[a]: http://" + "y" * 80 + "\n\n" + "[a]" * 7900,
    "brackets that may be": "[" * 15_900,
    "pictures that may be": "![" * 7900,
    "pictures among signs": "![:a- =:" * 2600,
    "emphasis that may be": "*a " * 15_900,
    "nested emphasis that may be": "*" * 7900 + "a" + "*" * 7900,
    "two kinds of emphasis": "*a_b " * 7900,
    "wide letters in emphasis": filled("W" * 60 + "*a_"),
    "code that may be": "`a` " * 7900,
    "headings that may be": "# a\n" * 3100,
    "ampersands that may be": "&" * 15_900,
}
