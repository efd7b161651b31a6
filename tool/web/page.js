// The page works without this. With it the table sorts and filters at once, renews itself, and draws how each row's
// sorted number went since the page was opened. The server draws every row: a refresh takes over what it sends.
"use strict";

const kRemembered = 60; // refreshes
const history_ = new Map(); // name of a row → [{column: number}], the oldest first
const form = document.getElementById("search");
const refresh = document.getElementById("refresh");
let timer = 0;

const table = () => document.querySelector("#table table");
const rows = () => [...table().tBodies[0].rows];
const isCut = () => "cut" in table().dataset; // the server left rows out: only it can sort and search them all

function number(row, column) {
  const value = row.cells[column].dataset.v;
  return value === undefined || value === "" ? null : Number(value);
}

function sortedColumn() {
  const heads = [...table().tHead.rows[0].cells];
  return { heads, column: heads.findIndex((head) => head.hasAttribute("aria-sort")) };
}

function sort(column, ascending) {
  const { heads } = sortedColumn();
  heads.forEach((head, i) => {
    if (i === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
  const isText = heads[column].classList.contains("text");
  const compare = (a, b) => {
    if (a.classList.contains("own") !== b.classList.contains("own")) return a.classList.contains("own") ? 1 : -1;
    if (isText) {
      const [x, y] = [a.cells[column].textContent, b.cells[column].textContent];
      return (x < y ? -1 : x > y ? 1 : 0) * (ascending ? 1 : -1);
    }
    const [x, y] = [number(a, column), number(b, column)];
    if (x === null || y === null) return (x === null) - (y === null); // what is not known comes last
    return ascending ? x - y : y - x;
  };
  table().tBodies[0].append(...rows().sort(compare));
  const url = new URL(location.href);
  url.searchParams.set("sort", heads[column].dataset.sort);
  url.searchParams.set("order", ascending ? "asc" : "desc");
  history.replaceState(null, "", url);
  for (const name of ["sort", "order"]) form.elements[name].value = url.searchParams.get(name);
  draw();
}

function filter() {
  const wanted = form.elements.q.value.toLowerCase();
  let shown = 0;
  for (const row of rows()) {
    const own = row.classList.contains("own");
    row.hidden = !own && !row.cells[0].textContent.toLowerCase().includes(wanted);
    if (!row.hidden && !own) shown += 1;
  }
  const count = document.getElementById("count");
  count.dataset.all ??= count.textContent;
  count.textContent = wanted && !isCut() ? `${shown} match` : count.dataset.all;
}

function remember() {
  const seen = new Set();
  for (const row of rows()) {
    const name = row.cells[0].textContent;
    const past = history_.get(name) ?? [];
    past.push([...row.cells].map((_, column) => number(row, column)));
    if (past.length > kRemembered) past.shift();
    history_.set(name, past);
    seen.add(name);
  }
  for (const name of history_.keys()) if (!seen.has(name)) history_.delete(name);
}

function spark(values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return null;
  const most = Math.max(...known) || 1;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const step = 96 / (kRemembered - 1);
  const start = 96 - step * (known.length - 1);
  line.setAttribute("points", known.map((value, i) => `${(start + i * step).toFixed(1)},${(18.5 - (17 * value) / most).toFixed(1)}`).join(" "));
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 96 20");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

// The last column, of what the table is sorted by.
function draw() {
  const { heads, column } = sortedColumn();
  const isNumber = column > 0 && !heads[column].classList.contains("text");
  const drawn = isNumber && [...history_.values()].some((past) => past.length > 1);
  heads.at(-1).hidden = !drawn;
  if (drawn) heads.at(-1).title = `${heads[column].textContent} since the page was opened`;
  table().tFoot.rows[0].cells[heads.length - 1].hidden = !drawn;
  for (const row of rows()) {
    const cell = row.cells[heads.length - 1];
    cell.hidden = !drawn;
    if (!drawn) continue;
    const line = spark((history_.get(row.cells[0].textContent) ?? []).map((values) => values[column]));
    cell.replaceChildren(...(line ? [line] : []));
  }
}

async function renew() {
  const lost = document.getElementById("lost");
  try {
    const url = new URL(location.href);
    if (isCut()) url.searchParams.set("q", form.elements.q.value);
    const reply = await fetch(url, { credentials: "same-origin", cache: "no-store" });
    if (!reply.ok) throw new Error(reply.statusText);
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    const open = document.querySelector("#overview details")?.open;
    for (const id of ["overview", "table", "footnote"])
      document.getElementById(id).replaceChildren(...fresh.getElementById(id).childNodes);
    const details = document.querySelector("#overview details");
    if (details && open !== undefined) details.open = open;
    const count = document.getElementById("count");
    count.dataset.all = count.textContent = fresh.getElementById("count").textContent;
    remember();
    filter();
    draw();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

function schedule() {
  clearTimeout(timer);
  const seconds = Number(refresh.value);
  if (!seconds) return;
  timer = setTimeout(async () => {
    if (!document.hidden) await renew();
    schedule();
  }, seconds * 1000);
}

document.getElementById("table").addEventListener("click", (event) => {
  const head = event.target.closest("thead th");
  if (!head || isCut() || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!event.target.closest("a")) return;
  event.preventDefault();
  const before = head.getAttribute("aria-sort");
  const ascending = before ? before === "descending" : head.classList.contains("text");
  sort(head.cellIndex, ascending);
});

let typed = 0;
form.elements.q.addEventListener("input", () => {
  filter();
  clearTimeout(typed);
  if (isCut()) typed = setTimeout(renew, 300);
});

try {
  refresh.value = sessionStorage.getItem("refresh") ?? "0";
} catch {
  // no storage: the choice lasts as long as the page
}
refresh.addEventListener("change", () => {
  try {
    sessionStorage.setItem("refresh", refresh.value);
  } catch {
    // likewise
  }
  if (Number(refresh.value)) renew();
  schedule();
});
document.querySelector(".refresh").hidden = false;
remember();
filter();
schedule();
