"""Slopes chosen from data, and biases that absorb what the slopes shift."""
