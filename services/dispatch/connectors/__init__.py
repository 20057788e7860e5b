"""Built-in connectors: how departments without a bus are reached."""
