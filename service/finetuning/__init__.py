"""Training data from answers that people liked: exported, checked, sent to a hosted job, or trained on here."""
