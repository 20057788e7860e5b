"""Events of notify: what became of each message to an asker."""

from __future__ import annotations

from shared.contracts.registry import event
from shared.contracts.shapes import ident, text, whole


@event("notify.message-delivered", stream="message", key="message_id")
class MessageDelivered:
    """A channel took the message 已送达通道."""

    message_id: str = ident()
    matter_id: str = ident()
    demand_id: str = ident()
    template: str = ident()
    channel: str = ident()
    attempts: int = whole(minimum=1)


@event("notify.message-failed", stream="message", key="message_id")
class MessageFailed:
    """No channel took it within the attempts allowed 发送失败; a desk has to call."""

    message_id: str = ident()
    matter_id: str = ident()
    demand_id: str = ident()
    template: str = ident()
    channel: str = ident()
    attempts: int = whole(minimum=1)
    reason: str = text(maximum=1_000)


@event("notify.notice-delivered", stream="notice", key="notice_id", since="0.2.0")
class NoticeDelivered:
    """A channel took a letter to people at work 工作通知已送达通道: about a claim or a rectification order."""

    notice_id: str = ident()
    matter_id: str | None = ident(default=None)
    subject: str = ident(about="The claim or order")
    event_id: str = ident(about="The event that it tells of")
    template: str = ident()
    channel: str = ident()
    attempts: int = whole(minimum=1)


@event("notify.notice-failed", stream="notice", key="notice_id", since="0.2.0")
class NoticeFailed:
    """No channel took it within the attempts allowed 工作通知发送失败; it still stands on its reader's list."""

    notice_id: str = ident()
    matter_id: str | None = ident(default=None)
    subject: str = ident()
    event_id: str = ident()
    template: str = ident()
    channel: str = ident()
    attempts: int = whole(minimum=1)
    reason: str = text(maximum=1_000)
