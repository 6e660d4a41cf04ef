"""What is predicted, which is classes: the only room that knows what follows from that.

Other rooms ask it: what a network's output and loss are, how rows are stratified and weighted, what
outputs mean, which metrics and peers judge them, which resamplings apply.
"""
