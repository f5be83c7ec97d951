"""What can be said of a model's units without data: estimates and proofs."""
