"""The one BentoML that builds and serves. What runs in a sandbox reads it too, without the apps."""

BENTOML = "bentoml==1.4.40"
