"""The fast engine: a row of numbers in one Python int, fixed-point numbers in lanes of bits side by side.

``layout`` explains the trick, ``matrix`` what is computed with, ``engine`` the operations; those on images are in
``convolution`` and ``pooling``, which stand on ``images``.
"""
