"""Random changes of training pictures; the only room that imports albumentations.

`augment.plan_augmentation` resolves and checks the configuration, `augment.augment` changes
pictures, `mixing.mix_batch` mixes a batch, `feeding.Feeder` does it while a training runs.
"""
