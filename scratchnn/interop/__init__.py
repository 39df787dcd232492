"""The wing of the house that talks to other projects' types and formats: scikit-learn, ONNX, safetensors, exports.

It imports the core, which never imports it. Each file is named after what it talks to, and loads that only when it is
asked to; formats are written and read with the standard library.
"""
