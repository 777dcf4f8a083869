"""Recipes that make the embedded checkpoints from public data and a public BERT checkpoint.

    python -m seq2seq.training small --data DATA --output runs/small
    python -m seq2seq.training qa --data DATA --output runs/qa

DATA is a folder of gzipped JSON lines: `fusion/NAME.train.jsonl.gz` and `summarization/NAME.train.jsonl.gz` with the
fields `source` and `target`; `qa/NAME.train.jsonl.gz` with `title`, `context`, `question` and `answers` (`text` and
`answer_start`, lists), in the order of the articles' paragraphs; `plaintext/NAME.train.jsonl.gz` with `text`; and
`.dev.` files of the same layout. Nothing here is needed to run the app.
"""
