"""The user's own code: networks, and tasks in place of training."""
