"""From grams on a quadrat to kilograms per hectare, of a photo and of a whole paddock."""
