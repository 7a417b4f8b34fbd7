"""A run told to people who decide: one set of words and pictures, two forms."""
