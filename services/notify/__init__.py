"""Notify: tells each asker what becomes of the demand, and asks for a judgement at the end (J5, J7)."""
