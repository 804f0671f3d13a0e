"""HTML as the simulator's pages are written: escaped, whole without JavaScript, nothing loaded from elsewhere."""

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --line: #767676; --soft: #f3f4f6; --go: #0b5cad; --on-go: #fff; --bad: #a4161a; }
@media (prefers-color-scheme: dark) {
  :root { --line: #8b949e; --soft: #21262d; --go: #9ecbff; --on-go: #0d1117; --bad: #ff9d9d; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; }
ol.steps { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; padding: 0; list-style: none; }
ol.steps [aria-current] { font-weight: 700; text-decoration: underline; text-underline-offset: .3em; }
.note { background: var(--soft); border-inline-start: .25rem solid var(--line); padding: .5rem .75rem; }
.error { border-inline-start: .25rem solid var(--bad); background: var(--soft); padding: .5rem .75rem; }
label { display: block; margin-top: .75rem; font-weight: 600; }
input, textarea { width: 100%; min-height: 2.75rem; padding: .5rem; font: inherit; border: 1px solid var(--line); }
button { display: block; min-height: 2.75rem; margin-top: 1rem; padding: .5rem 1.25rem; font: inherit; font-weight: 600;
  color: var(--on-go); background: var(--go); border: 0; border-radius: .25rem; cursor: pointer; }
a { color: var(--go); } nav a { display: inline-block; min-height: 1.75rem; margin-inline-end: 1rem; }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; }
table { width: 100%; border-collapse: collapse; } caption { text-align: start; font-weight: 600; }
th + th, td + td { overflow-wrap: normal; width: 6rem; }
th, td { padding: .4rem .5rem .4rem 0; text-align: start; vertical-align: top; border-bottom: 1px solid var(--line); }
pre { overflow-x: auto; background: var(--soft); padding: .75rem; } code, pre { font-size: .9rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: with that, browsers send `Origin: null` with a form, and the same-origin check needs it.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
STEPS = ("Your app", "Connect portal", "What happened")


def page(title: str, *parts: str, step: int = 0, status: int = 200) -> HTMLResponse:
    """A whole page. `parts` are HTML already; `step` is the place in STEPS."""
    marks = [f"<li{_current(i == step)}>{i + 1}. {name}</li>" for i, name in enumerate(STEPS)]
    html = (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)} · Sluice stand-in</title><style>{STYLE}</style></head>\n"
        f'<body><header><ol class="steps" aria-label="Steps">{"".join(marks)}</ol></header>\n'
        f"<main><h1>{escape(title)}</h1>\n{''.join(parts)}\n</main></body></html>\n"
    )
    # A name out of Slack may hold half a character, which has no bytes in UTF-8.
    return HTMLResponse(html.encode(errors="replace"), status, HEADERS)


def failure(title: str, sentence: str, *, step: int = 0, status: int = 400) -> HTMLResponse:
    """A page that says what is wrong, and the way back."""
    return page(title, error(sentence), '<p><a href="/app">Begin again</a></p>', step=step, status=status)


def error(sentence: str) -> str:
    """A sentence that stands out, and is read out."""
    return f'<p class="error" role="alert">{escape(sentence)}</p>'


def note(html: str) -> str:
    """An aside. `html` is HTML already."""
    return f'<p class="note">{html}</p>'


def form(action: str, button: str, *fields: str) -> str:
    """A form that is posted."""
    return f'<form method="post" action="{action}">{"".join(fields)}<button>{escape(button)}</button></form>'


def hidden(name: str, value: str) -> str:
    """A field that is not shown."""
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def text(name: str, label: str, value: str, hint: str) -> str:
    """A line to type, with its label and a hint."""
    described = f'aria-describedby="{name}-hint" autocomplete="off" autocapitalize="none" spellcheck="false"'
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" value="{escape(value)}" maxlength="320" required {described}>'
        f'<small id="{name}-hint">{escape(hint)}</small>'
    )


def facts(**rows: str) -> str:
    """A list of names and values; values are HTML already, `_` in a name stands for a space."""
    shown = (f"<dt>{name.replace('_', ' ')}</dt><dd>{value}</dd>" for name, value in rows.items())
    return f"<dl>{''.join(shown)}</dl>"


def _current(here: bool) -> str:
    return ' aria-current="step"' if here else ""
