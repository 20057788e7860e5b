"""Whole lives a second in full mode: from the demand's registration to the evaluation in the trace."""
