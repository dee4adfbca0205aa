"""The Merkle tree of RFC 6962: leaf and node hashes."""

import hashlib


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ data) (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()
