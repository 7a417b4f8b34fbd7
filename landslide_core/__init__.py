"""Landslide detection in Sentinel-2 and Sentinel-1 scenes: the engine under the application."""
