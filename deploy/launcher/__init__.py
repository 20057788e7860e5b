"""Starting the suite.

The command `gridwhistle`, the embedded suite, the supervisor of full mode, scenarios and the demo.
"""
