"""What a trained model is turned into before it is shipped."""
