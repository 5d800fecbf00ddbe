"""Referrals: codes and links, whom a friend counts for, how suspicious that is, and what both sides are told of it."""
