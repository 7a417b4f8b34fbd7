"""What the files of a scene are, and what was understood."""
