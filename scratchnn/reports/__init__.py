"""Reports: what there is to see of a model, a run or data as HTML, for a file to send and for a notebook.

``Model.report`` and ``train --report`` write the file: one page that needs nothing beside it and runs no script.
``displays.py`` is what objects show in a notebook. Whatever a page is given is escaped by the few functions of
``markup.py``, through which all of it goes.
"""
