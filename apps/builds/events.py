"""Kinds of audit events of builds."""

from apps.audit.events import event_kind

BUILD_REQUESTED = event_kind("build.requested", "Requested a build")
BUILD_STARTED = event_kind("build.started", "Started a build")
BUILD_SUCCEEDED = event_kind("build.succeeded", "Built a Bento in {seconds} s")
BUILD_FAILED = event_kind("build.failed", "A build failed at {step}")
BUILD_CANCEL_ASKED = event_kind("build.cancel_asked", "Requested cancellation of a running build")
BUILD_CANCELLED = event_kind("build.cancelled", "Cancelled a build")
RUNTIME_ADDED = event_kind("runtime.added", "Added a runtime of {wheels:wheel}")
BENTO_ADDED = event_kind("bento.added", "Added a Bento")
BENTO_COLLECTED = event_kind("bento.collected", "Removed an unused build")
RUNTIME_COLLECTED = event_kind("runtime.collected", "Removed an unused runtime")
SAMPLES_REQUESTED = event_kind("project.samples_requested", "Requested the sample models")
