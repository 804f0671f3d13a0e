"""The page behind `/docs`: the OpenAPI description, readable without JavaScript and without another host. Pure."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = Mapping[str, Any]

_ORDER: Final = ("connections", "allowlist", "pulls", "webhooks", "events", "operations", "health")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .375rem; }
details { border: 1px solid var(--line); border-radius: .375rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
summary span { opacity: .75; }
h2 { margin: 2rem 0 .5rem; } h4 { margin: 1rem 0 .25rem; }
.method { display: inline-block; min-width: 4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
td:first-child { white-space: nowrap; } td:first-child code { overflow-wrap: normal; }
td { padding: .25rem 1rem .25rem 0; vertical-align: top; border-top: 1px solid var(--line); }
"""


def docs_page(schema: Json) -> str:
    """The whole page."""
    info = schema["info"]
    title, summary = html.escape(info["title"]), html.escape(info.get("summary", ""))
    groups: dict[str, list[str]] = {tag: [] for tag in _ORDER}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation))
    for name, (operation,) in ((name, one.values()) for name, one in schema.get("webhooks", {}).items()):
        groups.setdefault(operation["tags"][0], []).append(_operation(name, "sent", operation))
    sections = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(rows)}" for tag, rows in groups.items() if rows)
    schemas = "".join(_schema(name, body) for name, body in sorted(_schemas(schema).items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{summary}</p>"
        f'<p>Machine-readable: <a href="/openapi.json">openapi.json</a></p>{sections}<h2>schemas</h2>{schemas}'
        "</body></html>"
    )


def _prose(text: str) -> str:
    """A sentence as HTML: of Markdown only what our descriptions use, code between backticks."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


def _schemas(schema: Json) -> dict[str, Json]:
    found: dict[str, Json] = schema.get("components", {}).get("schemas", {})
    return found


def _operation(path: str, method: str, operation: Json) -> str:
    said = operation.get("description") or operation.get("summary", "")
    first, _, rest = said.partition("\n\n")
    where = html.escape(path).replace("/", "/<wbr>")  # on a phone a path breaks between its parts
    head = f'<b class="method">{method.upper()}</b> <code>{where}</code><br><span>{_prose(first)}</span>'
    return f"<details><summary>{head}</summary><p>{_prose(rest)}</p>{''.join(_parts(operation))}</details>"


def _parts(operation: Json) -> Iterator[str]:
    if parameters := operation.get("parameters"):
        yield f"<h4>Parameters</h4>{_table(_parameter(one) for one in parameters)}"
    if body := operation.get("requestBody"):
        yield f"<h4>Body</h4>{_content(body['content'])}"
    answers = ((status, _prose(one["description"]), one) for status, one in sorted(operation["responses"].items()))
    rows = ([f"<b>{status}</b>", f"{text}{_content(one.get('content', {}))}"] for status, text, one in answers)
    yield f"<h4>Answers</h4>{_table(rows)}"


def _parameter(one: Json) -> list[str]:
    examples = one.get("schema", {}).get("examples") or ([one["example"]] if "example" in one else [])
    example = f"<br><code>{html.escape(str(examples[0]))}</code>" if examples else ""
    text = f"{_prose(one.get('description', ''))}{example}"
    return [f"<code>{html.escape(one['name'])}</code>", html.escape(one["in"]), text]


def _table(rows: Iterator[list[str]]) -> str:
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{cells}</table></div>'


def _content(content: Json) -> str:
    """What a body or an answer holds, by media type: a link to its schema and its examples, or all of it."""
    return "".join(_media(name, one) for name, one in content.items())


def _media(name: str, one: Json) -> str:
    examples = [example["value"] for example in one.get("examples", {}).values()]
    examples += [one["example"]] if "example" in one else []
    schema = one.get("schema") or {}
    if "$ref" in schema:
        of = html.escape(schema["$ref"].rpartition("/")[2])
        shown = f'<a href="#{of}">{of}</a>'
    else:
        shown = _json(schema) if schema and not examples else ""
    return f"<br><code>{html.escape(name)}</code> {shown}{''.join(_json(example) for example in examples)}"


def _schema(name: str, body: Json) -> str:
    named = html.escape(name)
    return f'<details id="{named}"><summary><code>{named}</code></summary>{_json(body)}</details>'


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{html.escape(text)}</pre>"
