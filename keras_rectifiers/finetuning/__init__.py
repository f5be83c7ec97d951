"""Fine-tuning a converted model."""
