"""Looking at a scene: pictures side by side, under a divider, stretched."""
