"""The file that ships: its contract, its golden answers, and how a file from anywhere is opened."""
