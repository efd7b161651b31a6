// The pages work without this. With it they renew themselves, sort and search in place, and draw larger trends with
// uPlot where that was built in. The server draws everything: a refresh takes over what is different in what it sends.
"use strict";

const main = document.getElementById("main");
const refresh = document.getElementById("refresh");
const live = document.getElementById("live");
let timer = 0;
let typed = 0;
let asked = 0; // the number of the newest request: an answer that was overtaken is not shown

// Of a row: the name it is about. Rows keep their identity through a refresh, and so focus and selection.
const keyOf = (node) => (node.nodeName === "TR" ? (node.cells[0]?.textContent ?? "") : null);

function patchAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    const users = name === "open" && old.nodeName === "DETAILS"; // what the user has done stays
    if (!fresh.hasAttribute(name) && !users) old.removeAttribute(name);
  }
}

function patchChildren(old, fresh) {
  const rows = new Map();
  for (const child of old.childNodes) if (keyOf(child) !== null) rows.set(keyOf(child), child);
  let here = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = keyOf(next);
    let same = key === null ? here : rows.get(key);
    if (key !== null && same) rows.delete(key);
    if (key === null && here && keyOf(here) !== null) same = null;
    if (!same || same.nodeName !== next.nodeName) {
      old.insertBefore(document.adoptNode(next), here);
      continue;
    }
    if (same === here) here = here.nextSibling;
    else old.insertBefore(same, here);
    patch(same, next);
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function patch(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.classList.contains("plot") && old.plot && draw(old, fresh.dataset)) return;
  if (old.nodeName === "FORM") {
    for (const field of fresh.querySelectorAll("input[type=hidden]")) old.elements[field.name].value = field.value;
    patch(old.querySelector("#count"), fresh.querySelector("#count"));
    return;
  }
  if (old.isEqualNode(fresh)) return;
  patchAttributes(old, fresh);
  patchChildren(old, fresh);
}

function drawAll() {
  if (typeof uPlot === "undefined") return;
  for (const plot of main.querySelectorAll(".plot[data-values]"))
    if (!plot.plot && plot.clientHeight > 80) draw(plot, plot.dataset); // on a phone there is no room for axes
}

const units = {
  bytes: (value) => {
    const names = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < 4) (value /= 1024), (unit += 1);
    return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toPrecision(3)} ${names[unit]}`;
  },
  percent: (value) => `${value.toFixed(value < 10 ? 1 : 0)} %`,
  count: (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }),
};

// Puts a line of uPlot's in the place of the server's, or new numbers into it.
function draw(plot, data) {
  if (!data.values) return false;
  const numbers = (text, plus) => text.split(",").map((each) => (each === "" ? null : Number(each) + plus));
  const series = [numbers(data.times, Number(data.start)), numbers(data.values, 0)];
  const shown = units[data.unit];
  if (plot.plot) {
    plot.plot.setData(series);
    return true;
  }
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: color("--soft"), font: "11px system-ui, sans-serif", grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const steps = data.unit === "bytes" ? [...Array(50).keys()].map((power) => 2 ** power) : null;
  const size = () => ({ width: plot.clientWidth, height: 110 });
  const svg = plot.querySelector("svg");
  svg.remove();
  plot.classList.add("drawn");
  plot.plot = new uPlot(
    {
      ...size(),
      legend: { show: false },
      padding: [6, 16, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (_, low, high) => [0, high * 1.05 || 1] } }, // an area that doesn't begin at 0 would lie
      axes: [
        { ...axis, size: 22, space: 70, values: (_, ticks, _axis, _space, step) => ticks.map((each) => new Date(each * 1000).toTimeString().slice(0, step < 60 ? 8 : 5)) },
        { ...axis, size: 58, space: 28, ...(steps && { incrs: steps }), values: (_, ticks) => ticks.map(shown) },
      ],
      series: [{}, { stroke: color("--accent"), width: 1.5, fill: color("--fill"), points: { show: false } }],
      hooks: {
        setCursor: [
          (chart) => {
            const at = chart.cursor.idx;
            const value = at == null ? null : chart.data[1][at];
            plot.dataset.tip = value == null ? "" : `${new Date(chart.data[0][at] * 1000).toTimeString().slice(0, 8)}  ${shown(value)}`;
          },
        ],
      },
    },
    series,
    plot,
  );
  new ResizeObserver(() => plot.plot.setSize(size())).observe(plot);
  return true;
}

// The server writes UTC; charts have the clock on the wall.
function localize(root) {
  for (const time of root.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    const zone = moment.toLocaleTimeString("en", { timeZoneName: "short" }).split(" ").pop();
    time.textContent = `${moment.toLocaleString("sv")} ${zone}`;
  }
  return root;
}

// Takes over what the server says of this address now.
async function renew(said) {
  const lost = document.getElementById("lost");
  const number = (asked += 1);
  try {
    const reply = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (!reply.ok && reply.status !== 404) throw new Error(reply.statusText);
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    if (number !== asked) return;
    const focused = document.activeElement;
    const concerns = main.querySelector("#attention")?.textContent;
    patchChildren(main, localize(fresh.getElementById("main")));
    patchChildren(document.querySelector(".links"), fresh.querySelector(".links"));
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    drawAll();
    const now = main.querySelector("#attention")?.textContent;
    if (said) live.textContent = said();
    else if (now !== concerns) live.textContent = now ?? "";
    lost.hidden = true;
  } catch {
    if (number === asked) lost.hidden = false;
  }
}

// A page that takes long to read and to draw is renewed less often.
function schedule(took = 0) {
  clearTimeout(timer);
  const seconds = Number(refresh.value);
  if (!seconds) return;
  timer = setTimeout(
    async () => {
      const begun = performance.now();
      if (!document.hidden) await renew();
      schedule(performance.now() - begun);
    },
    Math.max(seconds * 1000, took * 10),
  );
}

function go(url, said) {
  history.replaceState(null, "", url);
  return renew(said);
}

main.addEventListener("click", (event) => {
  const link = event.target.closest("#table thead a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(link.href);
  const form = document.getElementById("search");
  if (form.elements.q.value) url.searchParams.set("q", form.elements.q.value);
  go(url, () => {
    const head = main.querySelector("th[aria-sort]");
    return `sorted by ${head.textContent}, ${head.getAttribute("aria-sort")}`;
  });
});

function search() {
  const form = document.getElementById("search");
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value || name !== "q") url.searchParams.set(name, value);
  return go(url, () => document.getElementById("count").textContent);
}

main.addEventListener("input", (event) => {
  if (event.target.name !== "q") return;
  clearTimeout(typed);
  typed = setTimeout(search, 200);
});
main.addEventListener("change", (event) => {
  if (event.target.name === "top") search();
});
main.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typed);
  search();
});

try {
  refresh.value = sessionStorage.getItem("refresh") ?? "5";
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
localize(main);
drawAll();
schedule();
