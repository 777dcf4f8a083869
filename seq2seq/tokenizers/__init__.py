"""Text to token ids and back: SentencePiece, Unigram and WordPiece behind one class, `Tokenizer`.

Ids, arguments and files are those of the reference library. Every token's span of characters in the original
text can be had as well. Knows no models.
"""

from seq2seq.tokenizers.auto import load_tokenizer
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.bigbird import BigBirdTokenizer
from seq2seq.tokenizers.encoding import Encoding
from seq2seq.tokenizers.pegasus import PegasusTokenizer
from seq2seq.tokenizers.sentencepiece import BertGenerationTokenizer
from seq2seq.tokenizers.wordpiece import BertTokenizer

__all__ = [
    "BertGenerationTokenizer",
    "BertTokenizer",
    "BigBirdTokenizer",
    "Encoding",
    "PegasusTokenizer",
    "Tokenizer",
    "load_tokenizer",
]
