"""What speaks for each cause of dead units, measured on a live model."""
