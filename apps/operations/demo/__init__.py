"""The demo: the whole governed path on real models, through the public API, by five people."""
