"""What an exported model needs to answer: numpy and pillow only, for training and serving alike."""
