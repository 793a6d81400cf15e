"""From a sample's vector to the parameters of its targets."""
