"""The broker half of reliability: connection, confirmed publishing, the relay, the topology. No nameko, no eventlet."""
