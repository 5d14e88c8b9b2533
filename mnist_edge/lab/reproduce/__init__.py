"""The classic projects trained again: each experiment's runs, and what they came to."""
