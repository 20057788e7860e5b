"""What crosses the wire.

Envelope, event types, topology. Pure; marshmallow only. Frozen once shipped, then only added to.
"""
