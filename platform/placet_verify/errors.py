"""A refusal: a stable code for programs and a sentence for people."""


class Refused(Exception):
    """What was offered is not accepted. ``code`` is stable; ``sentence`` says what is wrong."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class Malformed(Refused):
    """The bytes are not what they should be: not JSON, a member missing, a wrong type."""

    def __init__(self, sentence: str, code: str = "malformed") -> None:
        super().__init__(code, sentence)
