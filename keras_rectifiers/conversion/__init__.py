"""The public verbs: plan and convert, for live models and for saved ones."""
