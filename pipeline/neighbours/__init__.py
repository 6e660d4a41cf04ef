"""Exact nearest neighbours among rows with gaps and categories: for imputation and resampling.

``index`` lays donors out for the search, ``search`` finds neighbours, ``kernels`` is the compiled
inner loop. Nothing here knows of stages.
"""
