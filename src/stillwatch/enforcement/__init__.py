"""May this request pass? A decision in front of the model, and what stands behind it."""
