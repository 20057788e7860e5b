"""What can go wrong with a private server, in words that say what to do next."""

from __future__ import annotations

from pathlib import Path

#: Lines of a server's own log shown with a failure; the whole log stays in the folder.
LOG_TAIL_LINES = 15


class ServerError(Exception):
    """A private server cannot be used. Nothing keeps running; do what `remedy` says and start it again."""

    #: Stable code that a program may match on.
    code = "server-error"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        #: What is wrong, one sentence.
        self.what = what
        #: What to do about it, one sentence.
        self.remedy = remedy


class ServerMissing(ServerError):
    """The server's program is not on this machine and could not be installed. Install the package named."""

    code = "server-missing"


class FolderClosed(ServerError):
    """The account that the server runs under cannot reach its folder. Choose another or open the way."""

    code = "server-folder-closed"


class ServerFailed(ServerError):
    """The server did not start, or ended by itself. Read the log named; its last lines are in the message."""

    code = "server-failed"

    @classmethod
    def with_log(cls, what: str, log: Path) -> ServerFailed:
        """The error with the end of the server's own log, which usually names the cause."""
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        tail = "\n".join(lines[-LOG_TAIL_LINES:]) or "(the log is empty)"
        return cls(what, f"Its log is {log}; it ends with:\n{tail}")
