"""The baseline network: trained in a process of its own, scored beside its peers.

``evaluate.train_baseline`` is the whole. TensorFlow is loaded by ``models``, ``schedules``, ``fit``
and ``worker`` alone; everything else here is cheap to import.
"""
