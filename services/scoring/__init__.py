"""Scoring: what is known of each customer, how likely she is to come back, what she is worth."""
