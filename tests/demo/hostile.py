"""What a stranger may send in place of what the page asks for: texts that break programs, and values of every kind."""

from __future__ import annotations

from hypothesis import strategies as st

NASTY = (
    "", " ", "\t\r\n", "\0", "a\0b", "\x1b[31mred\x1b[0m", "\x7f\x80\x9f", "\ufeff", "\ufffe\uffff", "\u2028\u2029",
    "\ud800", "one \udfff two", "\udc00\ud800", "\U0010ffff", "\u202eevil\u202c",
    "\u2066\u2067\u2068\u2069", "\u200b\u200d\u2060",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏿", "🇳🇴" * 50, "e" + "\u0301" * 400, "Z̸̡͚a̷̛l̴g̵o̶", "ﷺ" * 20, "שלום עולם",
    "今日は雨。" * 20, "ŉǰΐßﬁİ", "１２３ Ⅳ ½ ٣",
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\"'`><b onmouseover=alert(1)>", "&lt;&#60;&amp;", "]]><!--",
    "{{7*7}} ${alert(1)} #{1} <%= 1 %>", "[x](javascript:alert(1))",
    "'; DROP TABLE texts; --", "' OR '1'='1", "%s%s%n%x", "{0}{x.__class__}",
    "$(id) `id` ; id | id && id", "@=cmd|' /C calc'!A0",
    "/etc/passwd", "../../../../etc/passwd", "..\\..\\windows\\win.ini", "C:\\con",
    "file:///etc/passwd", "a/../b", "~root", "-rf",
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/", "//elsewhere.example/x",
    "ftp://x", "data:text/html,<b>",
    "x" * 20_000, "x " * 3_000, "." * 3_000, "\n" * 3_000, "(" * 500, "Ada wrote. " * 400,
    "0", "-0", "-1", "1e999", "-1e999", "NaN", "inf", "0x10", "1_000", "1,5", "٣",
    "9" * 5_000, "1e-999", "3.0", "1 ", "1" * 20,
    "null", "undefined", "true", "None", "[]", "{}", "__proto__", "constructor", "__class__", "self",
    "fuse", "summarize", "cross", "rollout", "words", "hidden", "stand-in", "gloss-fusion",
    "automatic", "own", "original",
    "<fuse>", "<s></s><pad><mask><unk>", "[CLS] [SEP] [MASK]", "▁", "<n>", "##ing",
    "Ada wrote. [She] wrote notes.", "Traceback", "Ada Lind moved to Oslo in 2011. She opened a bakery there.",
)  # fmt: skip

texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=80), st.text())
numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from((-1, 0, 1, 2**31, 2**63, 2**64, -(2**64), 10**400, 1e308, -0.0, 5e-324))
)
files = st.fixed_dictionaries(
    {
        "path": st.one_of(st.sampled_from(NASTY), st.sampled_from(("app.py", ".env", "/proc/self/environ", "/", "."))),
        "meta": st.just({"_type": "gradio.FileData"}),
    },
    optional={"url": st.one_of(st.none(), st.sampled_from(NASTY)), "orig_name": texts, "size": numbers},
)
plain = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.one_of(
    plain,
    texts,
    files,
    st.lists(plain, max_size=4),
    st.dictionaries(texts, plain, max_size=4),
    st.recursive(
        plain, lambda leaf: st.lists(leaf, max_size=3) | st.dictionaries(texts, leaf, max_size=3), max_leaves=8
    ),
)
