"""Commands of the verifier that stand for themselves."""
