"""Note what each module mentions, so that keys are planned quickly: ``python -m pipeline.runs``."""

import sys

from pipeline.modality import MODALITIES
from pipeline.runs.code import find_code, find_modules, keep_mentions

if __name__ == "__main__":
    sys.dont_write_bytecode = False  # this is asked for
    for module in find_modules():
        if module.startswith("pipeline.steps."):
            for modality in MODALITIES:
                find_code(module, modality)
    keep_mentions()
