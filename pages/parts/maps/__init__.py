"""Maps: what lies on them, the tiles and pictures they ask for."""
