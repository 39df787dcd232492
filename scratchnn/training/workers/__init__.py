"""Several processes that train one network, each with all of it, to the same bytes as one alone.

``sharing`` is what ``fit`` uses; ``starting`` starts processes, or has an executor start them, and lets them in;
``worker`` is what runs there; ``team`` is how they talk while they compute, ``messages`` what they say beside.
"""
