"""Saving: files that are whole or not there, read from strangers without trust.

``records`` writes plain data to a file and reads it back; below it, ``atomic`` replaces files and ``safe_pickle`` reads
pickles that hold nothing but data. ``model_format`` says what a model's file has to hold.
"""
