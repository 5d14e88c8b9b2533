"""Records -> what a person or a script reads: tables, JSON, contact sheets."""
