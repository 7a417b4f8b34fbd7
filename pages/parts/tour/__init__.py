"""The guided walk over the sample."""
