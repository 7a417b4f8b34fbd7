"""Files in, sources out: everything that knows how a Sentinel file is laid out."""
