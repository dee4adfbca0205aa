"""The log: its tree, its signed heads, its events, and checking all of it."""
