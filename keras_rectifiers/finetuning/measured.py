"""What metrics are measured on, in words. Plain data; Keras is never imported here."""

VALIDATION = "validation split"
GIVEN = "validation data"
TEST = "test data"
TRAINING = "training data"
