"""What a frozen encoder says of photos: computed once, cached, looked up."""
