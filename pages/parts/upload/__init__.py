"""Files from the browser: taken, kept and swept."""
