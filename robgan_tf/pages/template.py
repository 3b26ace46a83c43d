"""The HTML of a page: light or dark as its reader's machine is, for desktop, phone and print."""

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ page.title }}</title>
<style>
:root { --text: #1c1e21; --faint: #5b6069; --page: #fff; --card: #f4f5f7; --line: #d5d8dd;
  --link: #0b57a4; --note: #fff4d6; --note-line: #c98a00 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e6ea; --faint: #a2a8b2; --page: #16181c; --card: #22252b; --line: #3b4049;
    --link: #8ab8f0; --note: #3a2f10; --note-line: #d9a21b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word }
main { max-width: 72rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 }
h2, summary { font-size: 1.2rem; font-weight: 600; margin: 2rem 0 .6rem; line-height: 1.3 }
summary { cursor: pointer }
p { margin: .6rem 0; max-width: 48rem }
a { color: var(--link) }
nav { font-size: .9rem; margin: .8rem 0 }
nav a { display: inline-block; margin: .15rem .9rem .15rem 0 }
.note { background: var(--note); border-left: 4px solid var(--note-line); padding: .6rem .8rem }
.scroll { overflow-x: auto; margin: .8rem 0 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .7rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { background: var(--card); white-space: nowrap }
td { min-width: 7rem; max-width: 28rem }
td:first-child { min-width: 9rem }
.caption, figcaption { color: var(--faint); font-size: .85rem; margin: .3rem 0 1rem;
  max-width: 48rem }
pre { background: var(--card); padding: .7rem; overflow-x: auto; font-size: .8rem;
  line-height: 1.45; border-radius: 6px }
.pictures { display: grid; gap: .9rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)) }
.pictures.one { grid-template-columns: minmax(0, 1fr) }
figure { margin: 0; min-width: 0 }
figure img { display: block; width: 100%; max-width: 44rem; height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: 6px }
figure img.pixels { width: auto; max-width: 100% }
@media print { nav { display: none } details > * { display: block } }
</style>
</head>
<body>
<main>
<h1>{{ page.title }}</h1>
<p>{{ page.lead }}</p>
<nav aria-label="Contents">
{% for section in page.sections %}
<a href="#{{ section.anchor }}">{{ section.title }}</a>
{% endfor %}
</nav>
{% for section in page.sections %}
{% if section.is_folded %}
<details id="{{ section.anchor }}"><summary>{{ section.title }}</summary>
{% else %}
<section id="{{ section.anchor }}"><h2>{{ section.title }}</h2>
{% endif %}
{% for block in section.blocks %}
{% set kind = block | kind %}
{% if kind == "text" %}
<p{% if block.is_note %} class="note"{% endif %}>{{ block.text }}</p>
{% elif kind == "table" %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ block.caption or section.title }}">
<table>
{% if block.header | join %}
<thead><tr>{% for cell in block.header %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
{% endif %}
<tbody>
{% for row in block.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% if block.caption %}
<p class="caption">{{ block.caption }}</p>
{% endif %}
{% elif kind == "pictures" %}
<div class="pictures{% if block.pictures | length == 1 %} one{% endif %}">
{% for picture in block.pictures %}
<figure><img src="data:{{ picture.media_type }};base64,{{ picture.content | base64 }}" \
alt="{{ picture.alt }}"{% if picture.media_type == "image/png" %} class="pixels"{% endif %}>
{% if picture.caption %}
<figcaption>{{ picture.caption }}</figcaption>
{% endif %}
</figure>
{% endfor %}
</div>
{% else %}
<pre tabindex="0">{{ block.text }}</pre>
{% endif %}
{% endfor %}
{% if section.is_folded %}
</details>
{% else %}
</section>
{% endif %}
{% endfor %}
</main>
</body>
</html>"""
