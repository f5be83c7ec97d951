"""What each call puts out: shapes and dtypes, inferred without running a model."""
