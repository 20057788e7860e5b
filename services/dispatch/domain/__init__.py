"""The rules of handling, pure: states, clocks, the ladder, refusals.

Nothing here knows a table, a message or the time.
"""
