"""The departments' kit as a wheel of its own (`python -m deploy.kit FOLDER`): pika, marshmallow, nothing more."""
