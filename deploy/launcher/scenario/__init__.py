"""Scenarios: a town's day as YAML, replayed through the public commands, with what must have happened at the end.

The player knows a `Stage` and nothing of what stands behind it: the embedded suite on a simulated clock, or a running
suite in full mode. It must never reach into a service: what it cannot ask for over the public doors did not happen.
"""
