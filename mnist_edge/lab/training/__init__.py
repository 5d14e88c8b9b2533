"""Training: models, recipes, augmentation, losses, the loop, runs on disk."""
