"""Signatures: keys, envelopes, passkeys, and model signatures of others."""
