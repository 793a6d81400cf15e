"""What training varies of photos and samples, so that a network learns what does not matter."""
