"""Data quality for networks: validate, repair, re-check, resample, train a baseline, report.

Plain Python without Prefect; every stage can be used on its own. Importing this package loads
nothing heavy: ``from pipeline.preprocessor import load_preprocessor`` and the like do.
"""
