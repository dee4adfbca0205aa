"""Statements, envelopes, digests and Merkle proofs, and how each is verified.

No Django: the server, the node agent and the offline verifier all use this one implementation,
with nothing besides ``cryptography`` and ``rfc8785``.
"""
