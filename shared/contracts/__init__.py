"""What crosses the wire: envelope, event types, topology. Pure; marshmallow only. Frozen once shipped, then only added to."""
