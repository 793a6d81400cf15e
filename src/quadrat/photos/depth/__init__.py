"""Depth maps of photos beside their colours: computed once, scaled, encoded, joined."""
