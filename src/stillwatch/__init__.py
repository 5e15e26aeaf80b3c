"""Detection, containment and proof of adversarial distillation, for the makers and hosts of AI models."""

__version__ = "0.1.0"
