"""Recipes that make the embedded checkpoints from public data and a public BERT checkpoint.

    python -m seq2seq.training small --data DATA --output runs/small

DATA is a folder of gzipped JSON lines: `fusion/NAME.train.jsonl.gz` and `summarization/NAME.train.jsonl.gz` with the
fields `source` and `target`, beside `.dev.` files of the same layout. Nothing here is needed to run the app.
"""
