"use strict";
// Filters of tables, kept in the address; the search over everything. Text never becomes markup.
{
const root = document.documentElement.dataset.root;
const fold = text => text.toLowerCase().normalize("NFKD");

for (const form of document.querySelectorAll("form.filters[data-table]")) {
  const table = document.getElementById(form.dataset.table);
  const rows = [...table.querySelectorAll("tbody tr:not(.group)")];
  const texts = rows.map(row => fold(row.dataset.q ?? row.textContent));
  const fields = [...form.querySelectorAll("[name]")];
  const apply = () => {
    const wanted = fields.map(field => [field.name, field.value]).filter(([, value]) => value);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = wanted.every(([name, value]) => name === "q"
        ? fold(value).split(/\s+/).every(word => texts[index].includes(word))
        : name === "has" ? row.dataset.has.split(" ").includes(value) : row.dataset[name] === value);
      row.hidden = !fits; shown += fits;
    });
    for (const body of table.tBodies) if (body.querySelector("tr.group")) body.hidden = !body.querySelector("tr:not(.group):not([hidden])");
    form.querySelector("output").textContent = wanted.length ? `${shown} of ${rows.length}` : "";
    return wanted;
  };
  const store = () => history.replaceState(null, "", wantedHash(apply()));
  const wantedHash = wanted => wanted.length ? "#" + new URLSearchParams(wanted) : location.pathname + location.search;
  const load = () => {
    const hash = location.hash.slice(1);
    if (hash.includes("=")) { const asked = new URLSearchParams(hash); for (const field of fields) field.value = asked.get(field.name) ?? ""; }
    apply();
  };
  form.addEventListener("input", store);
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", load);
  load();
}

const box = document.getElementById("search"), list = document.getElementById("found");
let index = null, chosen = -1;
window.interopIndex = entries => { index = entries.map(([text, sort, href]) => ({ text, sort, href, key: fold(text + " " + sort) })); find(); };
const fetchIndex = () => { if (index === null && !document.getElementById("index-script")) { const script = document.createElement("script"); script.id = "index-script"; script.src = root + "assets/search.js"; document.head.append(script); } };
const close = () => { list.hidden = true; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); chosen = -1; };
const choose = next => {
  const items = [...list.querySelectorAll("[role=option]")]; if (!items.length) return;
  chosen = (next + items.length) % items.length;
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  box.setAttribute("aria-activedescendant", items[chosen].id); items[chosen].scrollIntoView({ block: "nearest" });
};
const find = () => {
  const words = fold(box.value.trim()).split(/\s+/).filter(Boolean);
  if (!words.length || index === null) return close();
  const first = words[0];
  const hits = index.filter(entry => words.every(word => entry.key.includes(word)))
    .sort((a, b) => b.key.startsWith(first) - a.key.startsWith(first)).slice(0, 12);
  list.replaceChildren(...hits.map((hit, at) => {
    const item = document.createElement("li"), link = document.createElement("a"), small = document.createElement("small");
    item.id = `hit-${at}`; item.setAttribute("role", "option"); item.setAttribute("aria-selected", "false");
    link.href = root + hit.href; link.tabIndex = -1; link.textContent = hit.text; small.textContent = hit.sort;
    link.append(small); item.append(link); return item;
  }));
  if (!hits.length) { const none = document.createElement("li"); none.className = "none"; none.setAttribute("role", "option"); none.setAttribute("aria-disabled", "true"); none.id = "hit-none"; none.textContent = "Nothing found"; list.append(none); }
  list.hidden = false; box.setAttribute("aria-expanded", "true"); chosen = -1;
};
box.addEventListener("focus", fetchIndex);
box.addEventListener("input", () => { fetchIndex(); find(); });
box.addEventListener("keydown", event => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(chosen + (event.key === "ArrowDown" ? 1 : -1)); }
  else if (event.key === "Enter") { const item = list.querySelectorAll("[role=option] a")[Math.max(chosen, 0)]; if (!list.hidden && item) { event.preventDefault(); item.click(); } }
  else if (event.key === "Escape") { close(); box.blur(); }
});
addEventListener("click", event => { if (!event.target.closest(".search")) close(); });
addEventListener("keydown", event => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); box.focus(); box.select(); }
});
}
