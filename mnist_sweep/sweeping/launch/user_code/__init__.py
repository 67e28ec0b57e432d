"""What runs of the user's own: networks, and functions in place of training."""
