"""Find, plan and rewrite the rectifiers of a saved or a live model."""
