"""A run: watched while it is made, shown, taken away."""
