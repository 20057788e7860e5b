"""What can be asked of notify; the same over HTTP, in scenarios and in the CLI."""

from __future__ import annotations

from shared.contracts.shapes import ident
from shared.runtime.definition import command


@command("notify.mark-notice-read", needs="read-notices")
class MarkNoticeRead:
    """已阅: somebody has read a notice of their own or of their desk."""

    notice: str = ident(about="Notice id 工作通知")


@command("notify.retry-message", needs="handle-matter")
class RetryMessage:
    """重发: try a failed message again, with a fresh count of attempts."""

    message: str = ident(about="Message id 消息")
