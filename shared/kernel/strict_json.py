"""JSON from outside, read strictly: UTF-8 only, no NaN, no numbers or nesting made to exhaust the reader."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class NotJson(ValueError):
    """The bytes are not JSON in UTF-8. The sender is at fault; the message says where."""


def parse(raw: bytes) -> Any:
    """Read a JSON document; raises NotJson."""
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
        raise NotJson(message) from error
    except RecursionError as error:
        message = "nested too deeply"
        raise NotJson(message) from error
    except ValueError as error:  # JSONDecodeError, a refused constant, or a number of thousands of digits
        raise NotJson(str(error)) from error


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise ValueError(message)


#: Made once: `json.loads` with an option makes one for every document.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
