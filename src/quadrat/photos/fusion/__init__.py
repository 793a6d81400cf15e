"""From the views of a sample and its metadata to one vector."""
