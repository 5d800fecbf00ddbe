"""Ingest: takes in what stores tell, keeps who is who, and owns orders, carts, products and keys."""
