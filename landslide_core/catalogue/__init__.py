"""Scenes found by place and date in a STAC catalogue, and their window loaded into files."""
