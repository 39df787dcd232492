"""How a report looks: on a wide screen and on a narrow one, light and dark, and on paper.

Colours are those of the figures, so that these have no edges.
"""

from __future__ import annotations

from ..plots.colours import DARK, LIGHT, RIGHT, WRONG

_NAMES = ("paper", "ink", "muted", "faint")


def _variables(theme: dict[str, str]) -> str:
    named = {name: theme[name] for name in _NAMES}
    named.update(right=theme[str(RIGHT)], wrong=theme[str(WRONG)])
    return ";".join(f"--{name}:{value}" for name, value in named.items())


def style() -> str:
    """The style sheet of a page."""
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    return f":root{{color-scheme:light dark;{_variables(LIGHT)}}}\n{dark}\n{_RULES}"


_RULES = """*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif}
main{max-width:58rem;margin:0 auto;padding:2rem 1.25rem 3rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;line-height:1.3;margin:2.5rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--faint)}
p{margin:.5rem 0;max-width:46rem;overflow-wrap:anywhere}
.lead{font-size:1.1rem;color:var(--muted)}
.note,footer{color:var(--muted);font-size:.9rem}
footer{margin-top:3rem;border-top:1px solid var(--faint);padding-top:.75rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.5rem 0 0;padding:0}
.figures div{border:1px solid var(--faint);border-radius:.5rem;padding:.7rem .9rem;break-inside:avoid}
.figures dt{color:var(--muted);font-size:.85rem;line-height:1.3}
.figures dd{margin:.1rem 0 0;font-size:1.3rem;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:12.5rem minmax(0,1fr);gap:.25rem 1.5rem;margin:0}
.facts dt{color:var(--muted)}
.facts dd{margin:0;overflow-wrap:anywhere}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
.scroll{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-size:.95rem}
th,td{padding:.25rem .9rem .25rem 0;text-align:left;font-weight:400;vertical-align:top;
border-bottom:1px solid var(--faint)}
th:last-child,td:last-child{padding-right:0}
tbody th,tfoot th{max-width:20rem;overflow-wrap:anywhere}
thead th{color:var(--muted);font-size:.85rem;vertical-align:bottom}
tbody .short,thead .short,tfoot .short{white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tfoot th,tfoot td{color:var(--muted)}
tbody+tfoot tr:first-child>*{border-top:2px solid var(--faint)}
figure{margin:.25rem -1rem}
figure svg{display:block;max-width:100%;height:auto}
pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9rem}
pre{border:1px solid var(--faint);border-radius:.5rem;padding:.7rem .9rem;margin:.75rem 0;white-space:pre-wrap;
overflow-wrap:anywhere}
code{overflow-wrap:anywhere}
@media screen and (max-width:40rem){figure{overflow-x:auto}figure svg{max-width:none}}
@media (max-width:34rem){th,td{padding-right:.6rem}
.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.5rem}h1{font-size:1.5rem}}
@media print{:root{color-scheme:light}@page{margin:16mm 15mm}
html{font-size:10pt}main{max-width:none;padding:0}p{max-width:none}
h2{margin-top:1.8rem;break-after:avoid}h3{break-after:avoid}
.figures{grid-template-columns:repeat(auto-fit,minmax(6.5rem,1fr))}
figure,tr,pre,.facts dt,.facts dd,section:last-of-type{break-inside:avoid}thead{display:table-header-group}
p{orphans:3;widows:3}.scroll{overflow:visible}figure svg{max-height:22cm}}
"""
