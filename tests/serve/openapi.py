# Validates an OpenAPI document, and answers by its schemas: {"document": …, "answers": [[schema, answer], …]} on
# standard input.

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

given = json.load(sys.stdin)
document = given["document"]
validate(document)
wrong = 0
for name, answer in given["answers"]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(answer):
        wrong += 1
        print(f"{name}: {error.json_path}: {error.message[:300]}")
if wrong:
    sys.exit(1)
print(f"{len(given['answers'])} answers are right")
