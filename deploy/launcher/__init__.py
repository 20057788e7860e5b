"""Starting the suite: the command `gridwhistle`, the embedded suite, the supervisor of full mode, scenarios and the demo."""
