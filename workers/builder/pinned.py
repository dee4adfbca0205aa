"""The one BentoML that builds and serves. What runs in a sandbox reads it too, without the apps."""

BENTOML = "bentoml==1.4.40"
# Its server takes these where they are there, in place of the same in Python.
SERVING = ("httptools==0.9.0", "uvloop==0.23.0")
