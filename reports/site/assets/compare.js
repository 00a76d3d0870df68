"use strict";
// Lays platforms side by side; each one's file is fetched when it is chosen. Text never becomes markup.
{
const most = 8, form = document.getElementById("compare"), loaded = new Map();
let catalogue = null;
const shapes = { passed: "passed", failed: "failed", blocked: "blocked", skipped: "skipped", missing: "missing", waived: "waived", "not-applicable": "not-applicable" };
const node = (tag, text, name) => { const made = document.createElement(tag); if (text !== undefined) made.textContent = text; if (name) made.className = name; return made; };
const svg = (tag, values) => { const made = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [key, value] of Object.entries(values)) made.setAttribute(key, value); return made; };
const state = word => {
  const shape = shapes[word] ?? "missing", made = node("span", undefined, `state ${shape}`), mark = svg("svg", { class: "m", "aria-hidden": "true" });
  mark.append(svg("use", { href: `#m-${shape}` })); made.append(mark, word === "not-applicable" ? "n/a" : word); return made;
};
window.interopCatalogue = found => { catalogue = found; if (form) load(); };
window.interopPlatform = found => { loaded.set(found.slug, found); draw(); };
const chosen = () => [...form.querySelectorAll("[name=p]:checked")].map(box => box.value);
const cells = (row, values, names) => values.forEach((value, at) => { const cell = node("td", undefined, "value"); cell.dataset.l = names[at]; cell.append(...value); row.append(cell); });
const header = (table, first, names) => { const head = node("thead"), row = node("tr"); for (const name of [first, ...names]) { const cell = node("th", name); cell.scope = "col"; row.append(cell); } head.append(row); table.replaceChildren(head); };
const group = (table, words, span) => { const body = node("tbody"), row = node("tr", undefined, "group"), cell = node("th", words); cell.colSpan = span; cell.scope = "colgroup"; row.append(cell); body.append(row); table.append(body); return body; };
const draw = () => {
  const picked = chosen();
  for (const slug of picked) if (!loaded.has(slug) && !document.getElementById(`s-${slug}`)) { const script = node("script"); script.id = `s-${slug}`; script.src = `compare/${encodeURIComponent(slug)}.js`; document.head.append(script); }
  for (const box of form.querySelectorAll("[name=p]")) box.disabled = !box.checked && picked.length >= most;
  const platforms = picked.map(slug => loaded.get(slug)).filter(Boolean);
  const show = form.elements.show.value, asked = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = text => asked.every(word => text.toLowerCase().includes(word));
  const names = platforms.map(platform => platform.name), table = document.getElementById("c-table"), facts = document.getElementById("f-table");
  guard(platforms); header(table, "Check", names); header(facts, "Fact", names);
  let differ = 0, seen = 0, told = 0;
  for (const [words, ids] of catalogue.chapters) {
    const rows = [], lines = [];
    for (const id of ids) {
      const outcomes = platforms.map(platform => platform.checks[id]?.[0] ?? "missing"), about = catalogue.checks[id];
      const all = outcomes.every(outcome => outcome === "missing"), differs = new Set(outcomes).size > 1;
      if (!all) { seen += 1; differ += differs; }
      const bad = outcomes.some(outcome => ["failed", "blocked", "missing"].includes(outcome));
      if (!all && (show === "all" || show === "differs" && differs || show === "bad" && bad) && fits(`${id} ${about.title}`)) rows.push([id, about.title, platforms.map((platform, at) => {
        const reason = platform.checks[id]?.[1], link = node("a"); link.href = `${platform.page}#${id}`; link.append(state(outcomes[at]));
        return [link, ...(reason && outcomes[at] !== "passed" ? [node("span", reason, "sub")] : [])];
      })]);
      for (const name of about.facts) {
        const values = platforms.map(platform => platform.facts[id]?.[name]);
        const known = values.filter(value => value !== undefined);
        if (!known.length || known.some(value => value[1] === "identity")) continue;
        const apart = new Set(values.map(value => value?.[0])).size > 1;
        if ((show === "all" || apart) && fits(`${id} ${name} ${known.map(value => value[0]).join(" ")}`)) lines.push([known[0][1] === "measurement", id, name, values.map(value => [value ? node("span", value[0]) : node("span", "not seen", "dim")])]);
      }
    }
    if (rows.length) { const body = group(table, words, names.length + 1); for (const [id, title, values] of rows) { const row = node("tr"), head = node("th"), link = node("a", id); head.scope = "row"; link.href = `checks/${catalogue.checks[id].slug}.html`; head.append(link, node("span", title, "sub")); row.append(head); cells(row, values, names); body.append(row); } }
    if (lines.length) { const body = group(facts, words, names.length + 1); lines.sort((a, b) => a[0] - b[0]); for (const [, id, name, values] of lines) { told += 1; const row = node("tr"), head = node("th", name); head.scope = "row"; head.append(node("span", id, "sub")); row.append(head); cells(row, values, names); body.append(row); } }
  }
  if (table.tBodies.length === 0) table.append(empty(names.length, platforms.length < 2 ? "Choose two platforms or more." : show === "differs" ? "Every check ended alike." : "Nothing to show."));
  if (facts.tBodies.length === 0) facts.append(empty(names.length, "No fact differs."));
  form.querySelector("output").textContent = platforms.length > 1 ? `${differ} of ${seen} checks differ, ${told} facts shown` : "";
};
const empty = (span, words) => { const body = node("tbody"), row = node("tr"), cell = node("td", words, "dim"); cell.colSpan = span + 1; row.append(cell); body.append(row); return body; };
const guard = platforms => {
  const lines = [], distinct = key => new Set(platforms.map(platform => platform[key])).size;
  if (distinct("suite") > 1) lines.push("These platforms were checked by different versions of the suites: a difference may come from the checks.");
  if (distinct("workload") > 1) lines.push("Different workloads stood on these platforms.");
  for (const platform of platforms) if (!platform.complete) lines.push(`The run on ${platform.name} did not finish: what is missing there says nothing.`);
  document.getElementById("guards").replaceChildren(...lines.map(line => node("p", line, "note")));
};
const load = () => {
  const asked = new URLSearchParams(location.hash.slice(1)), boxes = [...form.querySelectorAll("[name=p]")], named = asked.get("p")?.split(",");
  boxes.forEach(box => { box.checked = named ? named.includes(box.value) : "first" in box.dataset; });
  form.elements.show.value = asked.get("show") ?? "differs"; form.elements.q.value = asked.get("q") ?? "";
  draw();
};
if (form) {
  form.addEventListener("input", () => { const asked = new URLSearchParams({ p: chosen().join(","), show: form.elements.show.value }); if (form.elements.q.value) asked.set("q", form.elements.q.value); history.replaceState(null, "", "#" + asked); draw(); });
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", load);
}
}
