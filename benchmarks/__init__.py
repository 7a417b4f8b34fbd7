"""Measurements of this program against the reference's way, the machine's floor, and growth."""
