"""How the demo fails."""


class DemoFailed(Exception):
    """A step did not do what it must."""


def must(condition: bool, sentence: str) -> None:
    """Raise ``DemoFailed`` with ``sentence`` unless ``condition`` holds."""
    if not condition:
        raise DemoFailed(sentence)
