"""How many messages wait in a queue, asked over AMQP, which every installation has. Changes nothing."""

from __future__ import annotations

from amqp.exceptions import AccessRefused, NotFound

from shared.wire import connection as connections
from shared.wire.connection import BROKER_ERRORS, BrokerAway


def waiting_in(url: str, queue: str) -> int:
    """Messages ready in a queue; 0 when there is no such queue, or it may not be asked. Raises BrokerAway."""
    connection = connections.connect(url, "gridwhistle backlog")
    try:
        count: int = connection.channel().queue_declare(queue, passive=True).message_count
    except (NotFound, AccessRefused):
        return 0
    except BROKER_ERRORS as error:
        message = f"the broker went away at {queue}: {error}"
        raise BrokerAway(message) from error
    else:
        return count
    finally:
        connections.close(connection)
