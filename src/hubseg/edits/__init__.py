"""What a person drew over the model's mask: gestures, and the override they make."""
