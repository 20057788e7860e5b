"""Deliberation 理事·决事: the 1+N platform, one topic and N parties, one ballot, one resolution (J3, J4)."""
