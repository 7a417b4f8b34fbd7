"""What people say of a run's tiles, kept beside the run; labels to learn from."""
