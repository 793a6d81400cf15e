"""How the answers for species follow what is known of a place."""
