"""Webhooks."""

from collections.abc import Sequence

from placet_client.nouns.base import Listing, Noun, at, changed, given
from placet_client.records import (
    GivenWebhook,
    Webhook,
    WebhookDelivery,
    WebhookDeliveryDetail,
)


class Webhooks(Noun):
    """Who is told of events, by the webhook's id."""

    def list(self, *, limit: int | None = None) -> Listing[Webhook]:
        """List the webhooks that you see, newest first."""
        return self._list(Webhook, "/webhooks", limit)

    def get(self, webhook: str) -> Webhook:
        """Read a webhook, without its address and secret."""
        return self._read(Webhook, at("webhooks", webhook))

    def add(
        self,
        name: str,
        url: str,
        *,
        groups: Sequence[str] = (),
        project: str = "",
        service: str = "",
    ) -> GivenWebhook:
        """Add a webhook that is told of ``groups`` of kinds of events, of all where there is none:
        a channel of a chat where ``service`` is one, such as ``slack``, else a program.

        Its ``secret``, which a chat has not, is shown this once. It is enabled when somebody with
        ``audit.export`` enables it, at once when you have that yourself.
        """
        body = given(name=name, url=url, groups=[*groups], project=project, service=service)
        return self._do(GivenWebhook, "/webhooks", body)

    def change(
        self,
        webhook: str,
        *,
        url: str | None = None,
        groups: Sequence[str] | None = None,
        if_match: str = "",
    ) -> Webhook:
        """Give it another address or other kinds of events; what is ``None`` stays."""
        body = changed({"url": url, "groups": None if groups is None else [*groups]})
        return self._change(Webhook, "PATCH", at("webhooks", webhook), body, if_match)

    def enable(self, webhook: str, *, if_match: str = "") -> Webhook:
        """Have it told of what happens from now on.

        ``if_match`` is the ``etag`` of what you read; without it, what is there now is enabled.
        """
        tag = if_match or self._http.tag(at("webhooks", webhook))
        return self._change(Webhook, "POST", at("webhooks", webhook, "enable"), {}, tag)

    def disable(self, webhook: str) -> Webhook:
        """Tell it of nothing more, nor of what waits to be delivered."""
        return self._do(Webhook, at("webhooks", webhook, "disable"))

    def rotate(self, webhook: str) -> GivenWebhook:
        """Make another secret and key; for a day the former ones sign beside them."""
        return self._do(GivenWebhook, at("webhooks", webhook, "rotate"))

    def test(self, webhook: str) -> WebhookDeliveryDetail:
        """Have a test sent; read what comes of it as a delivery within seconds."""
        return self._do(WebhookDeliveryDetail, at("webhooks", webhook, "test"))

    def deliveries(
        self, webhook: str, *, state: str = "", limit: int | None = None
    ) -> Listing[WebhookDelivery]:
        """List what it was sent, or waits to be, newest first."""
        return self._list(
            WebhookDelivery, at("webhooks", webhook, "deliveries"), limit, state=state
        )

    def delivery(self, webhook: str, delivery: str) -> WebhookDeliveryDetail:
        """Read a delivery with its last attempts."""
        return self._read(WebhookDeliveryDetail, at("webhooks", webhook, "deliveries", delivery))

    def redeliver(self, webhook: str, delivery: str) -> WebhookDeliveryDetail:
        """Send it once more under the same webhook-id."""
        path = at("webhooks", webhook, "deliveries", delivery, "redeliver")
        return self._do(WebhookDeliveryDetail, path)

    def remove(self, webhook: str, *, if_match: str = "") -> None:
        """Tell it of nothing more, for good."""
        self._delete(at("webhooks", webhook), if_match)
