"""The kernel: what every service of Querencia stands on; it knows no business word but the facts."""
