"""The lab makes models: training, export, and the gate. It needs the extra `[train]`."""
