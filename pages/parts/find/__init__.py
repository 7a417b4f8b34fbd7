"""Scenes by place and date."""
