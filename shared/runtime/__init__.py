"""How a service runs: commands, HTTP, authentication, metrics, logs, and the nameko entrypoints.

The only place, with services/*/service.py, that may import nameko or eventlet; only `green`, `entrypoints` and
`process` do.
"""
