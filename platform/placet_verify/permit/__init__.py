"""The permit of a release: who must have decided what, and whether it holds."""
