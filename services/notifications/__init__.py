"""Messages: who may be written to, when, and what became of each mail."""
