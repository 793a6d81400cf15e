"""The network of the photos family and the closed-form solution that it starts from."""
