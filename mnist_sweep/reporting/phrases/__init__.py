"""All words that people read: analysis returns fields, and here they become phrases and sentences.

`names` for networks, data and reasons, `values` for numbers with their unit and interval,
`selection`, `effect` and `study` for whole paragraphs. Nothing reads a sentence back.
"""
