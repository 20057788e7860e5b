"""oversight 督事·评事: the trace of every event, the askers' answers, inspections, and the public reports.

It hears everything and decides nothing about a matter: what follows from an answer is dispatch's to decide.
"""
