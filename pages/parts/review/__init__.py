"""What people say of a run's tiles."""
