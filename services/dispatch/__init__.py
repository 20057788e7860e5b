"""Dispatch 办事: the handling of a matter, from its class to its closure (J5).

It never talks to an asker and never counts figures.
"""
