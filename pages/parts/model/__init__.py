"""A bundle's card as figures and words."""
