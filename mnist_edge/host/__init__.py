"""This machine: its CPUs, what they do beside us, their energy."""
