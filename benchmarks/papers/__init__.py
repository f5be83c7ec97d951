"""Small replications of the papers behind the family, one module for each set-up."""
