#!/usr/bin/env python3
"""Makes crates/control/src/ai/price_book.csv from the package genai-prices of PyPI (MIT).

    pip download --no-deps genai-prices==VERSION && python3 scripts/price-book.py genai_prices-*.whl

The package keeps the list prices of providers with their history. What is taken: the price of today of
each model of the providers below, of tiers the first (short prompts), of cache writes the price for
five minutes. Prices are millionths of a US dollar per million tokens; an empty field is unknown.
"""
import datetime, io, re, sys, zipfile
from decimal import Decimal

# Their name for a provider, ours.
PROVIDERS = [
    ("anthropic", "anthropic"),
    ("aws", "bedrock"),
    ("azure", "azure"),
    ("google", "google"),
    ("openai", "openai"),
    ("openrouter", "openrouter"),
]
# Google's list holds what others make and what is no chat model.
ONLY = {"google": "gemini-"}
FIELDS = ["input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"]


class Thing:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def load(source):
    """The package's data without its code: each class is a bag of fields."""
    source = re.sub(r"^from .*import .*$", "", source, flags=re.M)
    source = source.replace("providers: list[Provider] =", "providers =")
    names = set(re.findall(r"\b([A-Z][A-Za-z]+)\(", source)) - {"Decimal"}
    space = {"datetime": datetime, "Decimal": Decimal}
    space.update({name: type(name, (Thing,), {}) for name in names})
    exec(source, space)
    return space["providers"]


def today(prices):
    """Of several prices the one that holds now: the last whose date has come, else the one without."""
    if not isinstance(prices, list):
        return prices
    now = datetime.date.today()
    chosen = None
    for price in prices:
        limit = getattr(price, "constraint", None)
        start = getattr(limit, "start_date", None)
        if limit is None or (start is not None and start <= now):
            chosen = price.prices
    return chosen


def micros(value):
    if value is None:
        return ""
    if not isinstance(value, Decimal):
        value = value.base
    return str(int(value * 1_000_000))


def names(model):
    """The model's id, and the names that stand for exactly it."""
    clauses = getattr(model.match, "or_", [model.match])
    return [model.id] + [c.equals for c in clauses if hasattr(c, "equals")]


def main(path):
    wheel = zipfile.ZipFile(path)
    source = wheel.read("genai_prices/data.py").decode()
    version = re.search(r"genai_prices-([0-9.]+)-", path).group(1)
    rows = {}
    known = {p.id: p for p in load(source)}
    for theirs, ours in PROVIDERS:
        for model in known[theirs].models:
            prices = today(model.prices)
            if prices is None:
                continue
            figures = [micros(getattr(prices, field, None)) for field in FIELDS]
            if not figures[0] or not figures[1]:
                continue
            for name in names(model):
                plain = re.fullmatch(r"[A-Za-z0-9._:/@-]+", name)
                if plain and name.startswith(ONLY.get(theirs, "")):
                    rows.setdefault((ours, name), figures)
    out = io.StringIO()
    out.write(f"# Made by scripts/price-book.py from genai-prices {version} (MIT) on ")
    out.write(f"{datetime.date.today()}.\n")
    out.write("provider,model,input,output,cache_read,cache_write\n")
    for key in sorted(rows):
        out.write(",".join([*key, *rows[key]]) + "\n")
    with open("crates/control/src/ai/price_book.csv", "w") as file:
        file.write(out.getvalue())
    print(f"{len(rows)} prices")


main(sys.argv[1])
