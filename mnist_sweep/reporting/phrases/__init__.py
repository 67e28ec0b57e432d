"""Words that several places show: analysis returns fields, here they become phrases and sentences.

`names` for networks, data and reasons, `values` for numbers with their unit and interval, `tables`
for titles and notes, `selection`, `conclusions`, `effects` and `overview` for whole paragraphs.
Nothing reads a sentence back: what code must know is a field (`LineKind`).
"""
