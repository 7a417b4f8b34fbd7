"""Fitting the filter and the ensemble, and measuring them honestly."""
