"""What a network sees of photos: parts, mirrorings, decoding."""
