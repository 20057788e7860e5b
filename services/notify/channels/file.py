"""The file channel: one JSON line per message, appended; those of a moment are synced together.

For a trial, for a gateway that reads files, or for a desk that calls. The file holds addresses and texts in the clear:
only its owner may read it; put it away as you would put letters away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.kernel.clock import rfc3339
from shared.plugins import Contact, Message, PluginSettings, Receipt, SettlingNotifier, TemporaryFailure

#: Below the data folder.
FILE_NAME = "letters.jsonl"
_OWNER_ONLY = 0o600


class FileNotifier:
    """Appends to one file. Several processes may: each line is one write to a descriptor opened for appending."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self.path = path

    def address(self, contact: Contact) -> str | None:
        """Any address will do: somebody reads the file and calls or writes."""
        return contact.phone or contact.mail

    def send(self, message: Message) -> Receipt:
        """Append. Raises TemporaryFailure when the file cannot be written (disk full, no such folder)."""
        content = {
            "id": message.id,
            "at": rfc3339(message.at),
            "template": message.template,
            "to": message.address,
            "name": message.name,
            "subject": message.subject,
            "text": message.text,
        }
        line = (json.dumps(content, ensure_ascii=False) + "\n").encode()
        with self._opened() as descriptor:
            written = os.write(descriptor, line)
        if written != len(line):
            message_text = f"{self.path.name}: {written} of {len(line)} bytes written"
            raise TemporaryFailure(message_text)
        return Receipt(provider_ref=f"{self.path.name}#{message.id}")

    def settle(self) -> None:
        """Sync what was appended. Raises TemporaryFailure."""
        with self._opened() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            message = f"{self.path.name} cannot be written: {error.strerror}"
            raise TemporaryFailure(message) from error


def make(settings: PluginSettings) -> SettlingNotifier:
    """The entry point."""
    return FileNotifier(settings.data_dir / FILE_NAME)
