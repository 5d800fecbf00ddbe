"""Loyalty: points, tiers and redemptions of an account's members."""
