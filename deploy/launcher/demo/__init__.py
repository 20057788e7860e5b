"""The demo: a street's five working days, played through the public commands by its own people, then served.

The players hold the roles that the pack gives them, and every figure shown at the end is asked
of the services. It must never write into a service's tables or invent a number.
"""
