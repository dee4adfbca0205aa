"""Routes of the app under /api/v1/."""

from django.urls import path

from apps.integrations.api import streams
from apps.integrations.api import webhook_deliveries as deliveries
from apps.integrations.api import webhooks as hooks

urlpatterns = [
    path("streams", streams.StreamList.as_view(), name="api-streams-list"),
    path("streams/<str:stream>", streams.StreamDetail.as_view(), name="api-streams-detail"),
    path("streams/<str:stream>/pause", streams.StreamPause.as_view(), name="api-streams-pause"),
    path("streams/<str:stream>/resume", streams.StreamResume.as_view(), name="api-streams-resume"),
    path("streams/<str:stream>/rewind", streams.StreamRewind.as_view(), name="api-streams-rewind"),
    path("streams/<str:stream>/test", streams.StreamTest.as_view(), name="api-streams-test"),
    path("webhooks", hooks.WebhookList.as_view(), name="api-webhooks-list"),
    path("webhooks/<str:webhook>", hooks.WebhookDetail.as_view(), name="api-webhooks-detail"),
    path(
        "webhooks/<str:webhook>/enable", hooks.WebhookEnable.as_view(), name="api-webhooks-enable"
    ),
    path(
        "webhooks/<str:webhook>/disable",
        hooks.WebhookDisable.as_view(),
        name="api-webhooks-disable",
    ),
    path(
        "webhooks/<str:webhook>/rotate", hooks.WebhookRotate.as_view(), name="api-webhooks-rotate"
    ),
    path("webhooks/<str:webhook>/test", deliveries.WebhookTest.as_view(), name="api-webhooks-test"),
    path(
        "webhooks/<str:webhook>/deliveries",
        deliveries.WebhookDeliveryList.as_view(),
        name="api-webhooks-deliveries",
    ),
    path(
        "webhooks/<str:webhook>/deliveries/<str:delivery>",
        deliveries.WebhookDeliveryDetail.as_view(),
        name="api-webhooks-delivery",
    ),
    path(
        "webhooks/<str:webhook>/deliveries/<str:delivery>/redeliver",
        deliveries.WebhookRedeliver.as_view(),
        name="api-webhooks-redeliver",
    ),
]
