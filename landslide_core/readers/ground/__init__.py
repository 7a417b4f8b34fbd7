"""Sentinel-1 ground range products (GRD SAFE): calibrated, freed of noise and geocoded."""
