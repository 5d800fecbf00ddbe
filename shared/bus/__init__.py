"""The bus: two adapters, one contract."""
