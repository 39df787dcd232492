"""Training: the loop, who looks on while it runs, what becomes of it when numbers run away, and checkpoints.

``trainer`` is the loop; it knows no model, file or label. Everything else here attaches to it as a callback, or keeps
what there was before it.
"""
