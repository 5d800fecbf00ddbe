"""The four services, strangers to each other, and the command that runs them."""
