"use strict";
// Facts and evidence of a result, fetched when the first check is opened. Text never becomes markup.
{
const checks = document.getElementById("t-checks");
const make = (tag, text, name) => { const node = document.createElement(tag); if (text !== undefined) node.textContent = text; if (name) node.className = name; return node; };
const written = value => value === null ? "none" : value === true ? "yes" : value === false ? "no" : typeof value === "object" ? JSON.stringify(value) : String(value);
let evidence = null, waiting = [];
window.interopEvidence = found => { evidence = found; for (const go of waiting) go(); waiting = []; };
const withEvidence = go => {
  if (evidence !== null) return go();
  waiting.push(go);
  if (waiting.length === 1) { const script = make("script"); script.src = checks.dataset.evidence; script.addEventListener("error", () => { for (const body of document.querySelectorAll(".evidence")) body.textContent = "The file with the evidence is not here."; }); document.head.append(script); }
};
const fill = (id, body) => withEvidence(() => {
  const records = evidence[id] ?? [];
  body.replaceChildren();
  for (const record of records) {
    if (record.reason) body.append(make("pre", record.reason));
    if (record.facts.length) {
      const list = make("dl");
      for (const fact of record.facts) {
        const value = make("dd", written(fact.value) + (fact.unit ? ` ${fact.unit}` : ""));
        value.append(make("span", [fact.source, fact.member].filter(Boolean).join(", "), "sub"));
        list.append(make("dt", fact.name), value);
      }
      body.append(list);
    }
    for (const item of record.evidence) { const more = make("details"); more.append(make("summary", item.title), make("pre", item.text)); body.append(more); }
    body.append(make("p", `${record.test}, ${record.started}`, "small dim any"));
  }
  if (checks.dataset.again && records.some(record => record.outcome !== "passed")) {
    const line = make("p", "To repeat it: ", "small any"); line.append(make("code", checks.dataset.again.replace("CHECK", id))); body.append(line);
  }
  if (!records.length) body.append(make("p", "Nothing beyond the outcome was noted.", "dim"));
});
for (const row of checks.querySelectorAll("tbody tr[id]")) {
  const cell = row.cells[2], more = make("details"), body = make("div", "Loading", "body evidence");
  const head = make("summary", "Facts and evidence", "small dim");
  head.setAttribute("aria-label", `Facts and evidence of ${row.id}`);
  more.append(head, body); cell.append(more);
  more.addEventListener("toggle", () => { if (more.open && !more.dataset.full) { more.dataset.full = "1"; fill(row.id, body); } });
}
const reveal = () => { const row = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (row && row.matches("tr[id]")) { const more = row.querySelector("details"); more.open = true; row.scrollIntoView({ behavior: "instant" }); more.querySelector("summary").focus({ preventScroll: true }); } };
addEventListener("hashchange", reveal); reveal();
}
