"""Intake 揽事: demands come in by many channels and are grouped into matters. It never handles a matter itself."""
