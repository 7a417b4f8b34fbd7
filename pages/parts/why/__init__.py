"""Why a tile got its verdict."""
