"""The replay of real shop history and its summary; all its input goes by HTTP and SDKs."""
