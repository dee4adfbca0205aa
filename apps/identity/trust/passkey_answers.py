"""What a browser says that a passkey answered, looked at before django-allauth reads it.

Its reader (python-fido2) makes of a number as many bytes (``"authenticatorData": 1000000000``
took 2.9 GB), copies what is left of CBOR for each item in it (200,000 take 0.25 s, and it grows
with the square), follows it as deep as it goes, and lets pass whatever Python raises on the way.
Whoever comes to sign in can send it that.
"""

from typing import Any

from cryptography.exceptions import InvalidSignature
from fido2.webauthn import AuthenticationResponse, CollectedClientData, RegistrationResponse

from placet.kernel.api.parsers import strict_loads
from placet.kernel.config import config

MAX_CHARACTERS = 32_768  # with the chain of an attestation they have a quarter of it
UNREADABLE = "[0]"  # in place of one: allauth says that it is not right
PARTS = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")

ResponseType = type[RegistrationResponse] | type[AuthenticationResponse]


def can_be_read(text: str, kind: ResponseType) -> bool:
    """Tell whether an answer of ``kind`` is one, right or wrong, in every part that is read, and
    was asked for by a page of ours. (A browser has a passkey answer pages of hosts below its own
    too, and python-fido2 takes that; what is served there is none of ours: models, say.)"""
    if len(text) > MAX_CHARACTERS:
        return False
    try:
        document = strict_loads(text.encode())
        texts = [document["rawId"], *(document["response"].get(name) or "" for name in PARTS)]
        if not all(isinstance(one, str) for one in texts):
            return False
        response = kind.from_dict(document).response
        return _client(response.client_data) and _rest(response)
    except Exception:  # of a few bytes, and nothing but them: whatever it is, they are no answer
        return False


def _client(data: CollectedClientData) -> bool:
    return isinstance(data.type, str) and data.origin == config().public_origin


def _rest(response: Any) -> bool:
    if (new := getattr(response, "attestation_object", None)) is None:
        return b"\0" not in (response.user_handle or b"")  # which PostgreSQL takes for no id
    try:
        new.auth_data.credential_data.public_key.verify(b"", b"")
    except InvalidSignature:
        return True  # so it can be asked
    return False
