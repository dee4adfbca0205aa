"""The Markdown of comments: what it costs at most, and what it says."""

from placet.kernel import markdown

BOUND = markdown.Bound("comment", marks=1_000, looks=1_000, html=20_000)


def render(text: str) -> str:
    """Return a comment's Markdown as sanitised HTML (:func:`placet.kernel.markdown.render`)."""
    return markdown.render(text, BOUND, heading=4)


def said_in(text: str) -> list[str]:
    """Return what a comment says outside of code."""
    return markdown.texts(text, BOUND)
