"""Tables and other pictures of plans and diagnoses."""
