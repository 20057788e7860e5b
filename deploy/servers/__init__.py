"""Private servers for a trial and for tests: RabbitMQ, PostgreSQL and Prometheus in a folder of your own.

Free ports on loopback, generated passwords, all data below the given folder; they end when the process that
started them ends, however it ends. Never for production: there the servers are the operator's, and the suite
is only given their addresses.
"""

from __future__ import annotations

from deploy.servers.errors import FolderClosed, ServerError, ServerFailed, ServerMissing
from deploy.servers.postgresql import PrivatePostgreSQL
from deploy.servers.prometheus import PrivatePrometheus
from deploy.servers.rabbitmq import PrivateRabbitMQ

__all__ = [
    "FolderClosed",
    "PrivatePostgreSQL",
    "PrivatePrometheus",
    "PrivateRabbitMQ",
    "ServerError",
    "ServerFailed",
    "ServerMissing",
]
