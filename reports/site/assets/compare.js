"use strict";
// Lays platforms side by side; each one's file is fetched when it is chosen. Text never becomes markup.
{
const most = 8, form = document.getElementById("compare"), loaded = new Map();
let catalogue = null;
const silent = new Set(["missing", "not-applicable"]);
const short = text => text.length > 160 ? `${text.slice(0, 159)}…` : text;
const stateOf = (platform, id) => platform.checks[id]?.[0] ?? "missing";
const shapes = { contradicted: "failed", unproven: "blocked", passed: "passed", failed: "failed", blocked: "blocked", skipped: "skipped", missing: "missing", waived: "waived", "not-applicable": "not-applicable" };
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
// On a narrow screen platforms that agree share a line, so that a row is as long as it has opinions.
const narrow = matchMedia("(max-width:44rem)");
const merged = (row, values, names) => {
  if (!narrow.matches) return cells(row, values, names);
  const alike = new Map();
  values.forEach((value, at) => { const key = value.map(part => part.textContent).join("\n"); if (!alike.has(key)) alike.set(key, [value, []]); alike.get(key)[1].push(names[at]); });
  const found = [...alike.values()];
  cells(row, found.map(one => one[0]), found.map(one => one[1].length === names.length && names.length > 1 ? "all" : one[1].join(", ")));
};
const header = (table, first, names) => { const head = node("thead"), row = node("tr"); for (const name of [first, ...names]) { const cell = node("th", name); cell.scope = "col"; row.append(cell); } head.append(row); table.replaceChildren(head); };
const folded = new Map(); // what the reader opened or closed
const group = (place, first, names, words, told, open) => {
  const part = node("details", undefined, "group"), line = node("summary"), scroll = node("div", undefined, "scroll"), table = node("table", undefined, "cards"), body = node("tbody"), key = `${place.id} ${words}`;
  part.open = folded.get(key) ?? open; line.addEventListener("click", () => folded.set(key, !part.open));
  line.append(node("b", words), " ", node("span", told, "dim small")); header(table, first, names); table.append(body); scroll.append(table); part.append(line, scroll); place.append(part); return body;
};
const draw = () => {
  const picked = chosen();
  for (const slug of picked) if (!loaded.has(slug) && !document.getElementById(`s-${slug}`)) { const script = node("script"); script.id = `s-${slug}`; script.src = `compare/${encodeURIComponent(slug)}.js`; document.head.append(script); }
  for (const box of form.querySelectorAll("[name=p]")) box.disabled = !box.checked && picked.length >= most;
  const platforms = picked.map(slug => loaded.get(slug)).filter(Boolean);
  const show = form.elements.show.value, asked = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = text => asked.every(word => text.toLowerCase().includes(word));
  const names = platforms.map(platform => platform.name), table = document.getElementById("c-table"), facts = document.getElementById("f-table");
  table.replaceChildren(); facts.replaceChildren();
  guard(platforms); score(platforms, names); claims(platforms); debt(platforms, names);
  let differ = 0, seen = 0, told = 0;
  for (const [words, ids] of catalogue.chapters) {
    const rows = [], lines = [];
    let apply = 0, parted = 0, weighty = 0;
    for (const id of ids) {
      const outcomes = platforms.map(platform => stateOf(platform, id)), about = catalogue.checks[id];
      const all = outcomes.every(outcome => silent.has(outcome)), differs = new Set(outcomes).size > 1;
      if (!all) { apply += 1; parted += differs; weighty += new Set(outcomes.filter(outcome => outcome !== "not-applicable")).size > 1; }
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
        if ((show === "all" || apart) && fits(`${id} ${name} ${known.map(value => value[0]).join(" ")}`)) lines.push([known[0][1] === "measurement" || new Set(known.map(value => value[0])).size < 2, id, name, values.map(value => [value ? node("span", short(value[0])) : node("span", "not seen", "dim")])]);
      }
    }
    seen += apply; differ += parted;
    const sought = asked.length > 0;
    if (rows.length) { const body = group(table, "Check", names, words, `${parted} of ${apply} differ${parted && !weighty ? ", only in what applies" : ""}`, sought || weighty > 0); for (const [id, title, values] of rows) { const row = node("tr"), head = node("th"), link = node("a", id); head.scope = "row"; link.href = `checks/${catalogue.checks[id].slug}.html`; head.append(link, node("span", title, "sub")); row.append(head); merged(row, values, names); body.append(row); } }
    if (lines.length) { const behave = lines.filter(line => !line[0]).length, body = group(facts, "Fact", names, words, `${behave} that behave differently, ${lines.length - behave} measured or not seen everywhere`, sought || behave > 0 && !narrow.matches); lines.sort((a, b) => a[0] - b[0]); for (const [, id, name, values] of lines) { told += 1; const row = node("tr"), head = node("th", name); head.scope = "row"; head.append(node("span", id, "sub")); row.append(head); merged(row, values, names); body.append(row); } }
  }
  if (!table.childElementCount) table.append(node("p", platforms.length < 2 ? "Choose two platforms or more." : show === "differs" ? "Every check ended alike." : "Nothing to show.", "dim"));
  if (!facts.childElementCount) facts.append(node("p", "No fact differs.", "dim"));
  form.querySelector("output").textContent = platforms.length > 1 ? `${differ} of ${seen} checks differ, ${told} facts shown` : "";
};
// The law of reports/compare/score.py: a check counts where every platform passed it, over those that apply to any; rounded down.
const scoreOf = (platforms, ids) => {
  const counted = ids.filter(id => platforms.some(platform => stateOf(platform, id) !== "not-applicable"));
  const passes = id => platforms.map(platform => stateOf(platform, id) === "passed"), lost = counted.filter(id => !passes(id).every(Boolean));
  const of = number => ({ number, points: counted.length ? Math.floor(number * 1000 / counted.length) : 0 });
  return { all: counted.length, joint: of(counted.length - lost.length), members: platforms.map((_, at) => of(counted.filter(id => passes(id)[at]).length)), lost };
};
const told = ({ number, points }, all) => { const made = node("span"); made.append(node("b", `${Math.floor(points / 10)} %`), node("span", `${number} of ${all}`, "sub")); return [made]; };
const score = (platforms, names) => {
  const table = document.getElementById("s-table"), part = document.getElementById("c-score");
  const held = catalogue.components.map(([key, title, ids]) => { const asked = platforms.map(platform => platform.components === null || platform.components.includes(key)); return { title, ids, asked, by: asked.filter(Boolean).length }; });
  part.hidden = platforms.length < 2 || !held.length;
  if (part.hidden) return;
  const shared = held.filter(one => one.by === platforms.length), all = [...new Set(shared.flatMap(one => one.ids))];
  header(table, "Component", ["On all of them", ...names, "What costs the points"]);
  const body = node("tbody");
  const rows = [["Everything that all of them are asked for", all, "", platforms.map(() => true)], ...held.filter(one => one.by).map(one => [one.title, one.ids, one.by < platforms.length ? "not asked of all" : "", one.asked])];
  for (const [title, ids, note, asked] of rows) {
    const found = scoreOf(platforms, ids), row = node("tr"), head = node("th", title);
    if (!found.all) continue;
    head.scope = "row"; if (note) head.append(node("span", note, "sub")); row.append(head);
    const cost = node("span");
    found.lost.forEach((id, at) => { if (at < 12) { const link = node("a", id); link.href = `checks/${catalogue.checks[id]?.slug ?? id}.html`; cost.append(at ? ", " : "", link); } });
    if (found.lost.length > 12) cost.append(` and ${found.lost.length - 12} more`);
    if (!found.lost.length) cost.append(node("span", "nothing", "dim"));
    cells(row, [told(found.joint, found.all)], ["On all of them"]); merged(row, found.members.map((one, at) => asked[at] || one.number ? told(one, found.all) : [node("span", "not asked", "dim")]), names); cells(row, [[cost]], ["Lost by"]);
    body.append(row);
  }
  table.append(body);
};
const claims = platforms => {
  const table = document.getElementById("k-table"), part = document.getElementById("c-claims"), body = node("tbody");
  header(table, "Claim", ["Platform", "Value", "Standing", "Because"]);
  const order = ["contradicted", "unproven"];
  const rows = platforms.flatMap(platform => platform.claims.map(claim => [platform, ...claim])).sort((a, b) => order.indexOf(a[1]) - order.indexOf(b[1]));
  for (const [platform, standing, what, value, because] of rows) { const row = node("tr"), head = node("th", what), link = node("a", platform.name); head.scope = "row"; link.href = `platforms/${platform.slug}.html#about`; row.append(head); cells(row, [[link], [value], [state(standing)], [because]], ["Platform", "Value", "Standing", "Because"]); body.append(row); }
  part.hidden = !rows.length; table.append(body);
  const fold = document.getElementById("k-fold"); fold.open = folded.get("claims") ?? !narrow.matches;
  fold.firstElementChild.textContent = `${rows.length} of ${platforms.length} platforms`; fold.firstElementChild.onclick = () => folded.set("claims", !fold.open);
};
// As reports/compare/debt.py: what their owners had to set differently; what all set alike comes last.
const debt = (platforms, names) => {
  const table = document.getElementById("d-table"), part = document.getElementById("c-debt"), body = node("tbody");
  const rows = [...new Set(platforms.flatMap(platform => Object.keys(platform.profile)))].sort().map(key => [key, platforms.map(platform => platform.profile[key])]);
  const differs = values => new Set(values).size > 1;
  rows.sort((a, b) => differs(b[1]) - differs(a[1]));
  header(table, "Parameter", names);
  for (const [key, values] of rows) { const row = node("tr"), head = node("th", key); head.scope = "row"; if (!differs(values)) head.append(node("span", "the same on all: belongs into the workload", "sub")); row.append(head); merged(row, values.map(value => [value === undefined ? node("span", "not set", "dim") : node("span", short(value))]), names); body.append(row); }
  part.hidden = platforms.length < 2 || !rows.length; table.append(body);
};
const guard = platforms => {
  const lines = [];
  const elsewhere = platforms.filter(platform => !platform.suite).map(platform => platform.name), known = platforms.filter(platform => platform.suite);
  if (elsewhere.length) lines.push(`${elsewhere.join(", ")}: made elsewhere, so which checks ran cannot be shown.`);
  if (new Set(known.map(platform => platform.suite)).size > 1) lines.push("These platforms were checked by different versions of the suites: a difference may come from the checks.");
  if (new Set(known.map(platform => platform.workload)).size > 1) lines.push("Different workloads stood on these platforms.");
  for (const platform of platforms) if (!platform.complete) lines.push(`The run on ${platform.name} did not finish: what is missing there says nothing.`);
  const emulators = platforms.filter(platform => platform.emulator).map(platform => platform.name);
  if (emulators.length && emulators.length < platforms.length) lines.push(`${emulators.join(", ")}: declared an emulator, the others are not.`);
  for (const platform of platforms) if (platform.leaks) lines.push(`The run on ${platform.name} left ${platform.leaks} resources behind.`);
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
  narrow.addEventListener("change", () => catalogue && draw());
}
}
