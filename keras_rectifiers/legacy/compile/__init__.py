"""What `compile` gave an old model: optimizer with its state, loss and metrics."""
