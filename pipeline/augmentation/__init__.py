"""Room for the augmentation of images; nobody else is to import albumentations."""
