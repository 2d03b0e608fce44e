// What is chosen, added up from the rows of the page, and shown. No library, no network.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const element = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en-US");
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(part && part < 0.0995 * whole ? 1 : 0)}%` : "–");

// Figures of what happened: their columns, and whether a figure is known only from the watch on.
const MEASURES = [
  ["leads_created", "new leads"],
  ["leads_responded", "answered for the first time"],
  ["reached_qualified", "qualified"],
  ["reached_booked", "booked"],
  ["leads_won", "won"],
  ["leads_lost", "lost"],
];
const STEPS = [
  ["cohort_leads", "new"],
  ["cohort_engaged", "engaged"],
  ["cohort_qualified", "qualified"],
  ["cohort_booked", "booked"],
  ["cohort_won", "won"],
];
const DIMENSIONS = {
  account: { column: "account", names: data.accounts.map((account) => account.name) },
  source: { column: "source", names: data.sources },
  owner: { column: "owner_key", names: data.owners },
};
const PERIODS = { 7: "last 7 days", 28: "last 28 days", 91: "last 13 weeks", all: "all days", own: "as entered" };
const DEFAULTS = { period: "28", account: "", source: "", owner: "", measure: "leads_created", part: "source" };
const CHOICES = [...Object.keys(DEFAULTS), "from", "to"];

// Days -----------------------------------------------------------------------------------------

function shifted(day, by) {
  const moment = new Date(`${day}T00:00:00Z`);
  moment.setUTCDate(moment.getUTCDate() + by);
  return moment.toISOString().slice(0, 10);
}

function startOf(day, grain) {
  if (grain === "month") return `${day.slice(0, 7)}-01`;
  if (grain === "week") return shifted(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));
  return day;
}

function shownDay(day, grain) {
  const options = { timeZone: "UTC", year: "numeric", month: "short", ...(grain === "month" ? {} : { day: "numeric" }) };
  const text = new Intl.DateTimeFormat("en-GB", options).format(new Date(`${day}T00:00:00Z`));
  return grain === "week" ? `week of ${text}` : text;
}

// Elements: texts only, never markup --------------------------------------------------------------

function made(tag, attributes = {}, ...children) {
  const node = document.createElementNS(
    ["svg", "rect", "title"].includes(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function bar(part) {
  const filled = made("i");
  filled.style.setProperty("--to", part.toFixed(4));
  return made("span", { class: "bar", "aria-hidden": "true" }, filled);
}

function table(caption, columns, lines) {
  const head = made("tr", {}, ...columns.map((column) => made("th", { scope: "col" }, column)));
  const body = lines.map(([name, ...cells]) =>
    made("tr", {}, made("th", { scope: "row" }, name), ...cells.map((cell) => made("td", {}, ...[cell].flat()))));
  return made("table", {}, made("caption", {}, caption), made("thead", {}, head), made("tbody", {}, ...body));
}

// What is chosen ----------------------------------------------------------------------------------

function choice() {
  const chosen = Object.fromEntries(CHOICES.map((name) => [name, element(name).value]));
  if (chosen.period !== "own") {
    chosen.to = data.last_day;
    chosen.from = chosen.period === "all" ? data.first_day : shifted(data.last_day, 1 - Number(chosen.period));
  }
  // A period is made of whole weeks or months where the file is too large for days.
  chosen.first = startOf(chosen.from || data.first_day, data.grain);
  chosen.last = chosen.to || data.last_day;
  return chosen;
}

function isChosen(table, row, chosen) {
  return Object.entries(DIMENSIONS).every(([name, { column }]) =>
    chosen[name] === "" || table[column][row] === Number(chosen[name]));
}

function chosenRows(chosen, first = chosen.first, last = chosen.last) {
  const found = [];
  for (let row = 0; row < (rows.starts_on || []).length; row += 1) {
    const start = data.starts[rows.starts_on[row]];
    if (start >= first && start <= last && isChosen(rows, row, chosen)) found.push(row);
  }
  return found;
}

function sum(found, column) {
  return found.reduce((total, row) => total + (rows[column][row] ?? 0), 0);
}

function sums(found, column, key) {
  const totals = new Map();
  for (const row of found) {
    const name = key(row);
    totals.set(name, (totals.get(name) ?? 0) + (rows[column][row] ?? 0));
  }
  return totals;
}

// What of it nobody knows: accounts that were not watched all the time, or are not complete so far.
function gaps(chosen) {
  const asked = data.accounts.filter((account, place) => chosen.account === "" || Number(chosen.account) === place);
  const unwatched = asked.filter((account) => account.watched_from === null || account.watched_from > chosen.first);
  const behind = asked.filter((account) => account.last_day === null || account.last_day < chosen.last);
  return { unwatched, behind };
}

// What is shown --------------------------------------------------------------------------------------

function showTiles(chosen, found, missing) {
  const days = Math.round((new Date(chosen.last) - new Date(chosen.first)) / 86400000) + 1;
  const earlier = shifted(chosen.first, -days);
  const isWhole = data.grain === "day" && earlier >= data.first_day;
  const before = isWhole ? chosenRows(chosen, earlier, shifted(chosen.first, -1)) : [];
  const watchedBefore = gaps({ ...chosen, first: earlier }).unwatched.length === 0;
  const tiles = MEASURES.map(([column, label]) => {
    const isChange = column !== "leads_created";
    const total = sum(found, column);
    const isLess = missing.behind.length > 0 || (isChange && missing.unwatched.length > 0);
    const figure = made("dd", { class: "figure", "data-figure": column }, number(total));
    if (isLess) figure.prepend(made("span", { class: "prefix" }, "at least "));
    const lines = [];
    const certain = isChange ? sum(found, `${column}_lower`) : total;
    if (certain < total) lines.push(made("dd", { class: "below" }, `${number(certain)} certainly on their day`));
    if (isWhole && !isLess && (!isChange || watchedBefore)) {
      lines.push(made("dd", { class: "below", "data-before": column }, `the ${number(days)} days before: ${number(sum(before, column))}`));
    }
    return made("div", {}, made("dt", {}, label), figure, ...lines);
  });
  const won = sum(found, "leads_won");
  const decided = won + sum(found, "leads_lost");
  tiles.push(made("div", {}, made("dt", {}, "won of decided"),
    made("dd", { class: "figure", "data-figure": "win_rate" }, share(won, decided))));
  element("tiles").replaceChildren(...tiles);
}

function showNotes(missing) {
  const notes = [];
  const list = (accounts, day) => accounts.map((account) => `${account.name} (${account[day] ? shownDay(account[day], "day") : "not yet"})`).join(", ");
  if (missing.unwatched.length) {
    notes.push(`Not watched for the whole period, so changes before are not counted: ${list(missing.unwatched, "watched_from")}.`);
  }
  if (missing.behind.length) notes.push(`Complete through an earlier day only: ${list(missing.behind, "last_day")}.`);
  if (data.grain !== "day") notes.push(`Figures are by ${data.grain}: there are too many for days.`);
  element("notes").hidden = notes.length === 0;
  element("notes").querySelector("ul").replaceChildren(...notes.map((note) => made("li", {}, note)));
}

// As fine as the period allows, and no more than a hundred columns.
function grainOf(chosen) {
  const days = (new Date(chosen.last) - new Date(chosen.first)) / 86400000;
  const wanted = days <= 100 ? "day" : days <= 700 ? "week" : "month";
  const grains = ["day", "week", "month"];
  return grains[Math.max(grains.indexOf(wanted), grains.indexOf(data.grain))];
}

function showTime(chosen, found) {
  const grain = grainOf(chosen);
  const label = MEASURES.find(([column]) => column === chosen.measure)[1];
  const totals = sums(found, chosen.measure, (row) => startOf(data.starts[rows.starts_on[row]], grain));
  const points = [];
  for (let day = startOf(chosen.first, grain); day <= chosen.last; day = startOf(shifted(day, grain === "day" ? 1 : grain === "week" ? 7 : 32), grain)) {
    points.push([day, totals.get(day) ?? 0]);
  }
  if (!points.length) return;
  const highest = Math.max(1, ...points.map(([, total]) => total));
  const columns = points.map(([day, total], place) => made("rect",
    { x: place * 10 + 1, y: 100 - (100 * total) / highest, width: 8, height: (100 * total) / highest },
    made("title", {}, `${shownDay(day, grain)}: ${number(total)}`)));
  const [first, last] = [points[0][0], points[points.length - 1][0]].map((day) => shownDay(day, grain));
  element("time").replaceChildren(
    made("svg", { class: "columns", role: "img", viewBox: `0 0 ${points.length * 10} 100`, preserveAspectRatio: "none",
      "aria-label": `${label}, ${first} to ${last}, at most ${number(highest)}. The table below has the same figures.` }, ...columns),
    made("div", { class: "axis", "aria-hidden": "true" }, ...[first, `highest: ${number(highest)}`, last].map((text) => made("span", {}, text))));
  element("time-table").replaceChildren(table(`${label}, by ${grain}`, [grain, label],
    points.reverse().map(([day, total]) => [shownDay(day, grain), number(total)])));
}

function showParts(chosen, found) {
  const { column, names } = DIMENSIONS[chosen.part];
  const key = (row) => rows[column][row];
  const [created, qualified, won, lost] = ["leads_created", "reached_qualified", "leads_won", "leads_lost"]
    .map((measure) => sums(found, measure, key));
  const places = [...new Set(found.map(key))].sort((one, other) => created.get(other) - created.get(one) || one - other);
  const largest = Math.max(1, ...created.values());
  element("parts-of").textContent = chosen.part;
  element("parts").replaceChildren(table(`What happened, by ${chosen.part}`, [chosen.part, "new", "qualified", "won", "lost", "won of decided"],
    places.map((place) => [names[place],
      [number(created.get(place)), bar(created.get(place) / largest)],
      ...[qualified, won, lost].map((totals) => number(totals.get(place))),
      share(won.get(place), won.get(place) + lost.get(place))])));
}

function showFunnel(found) {
  const totals = STEPS.map(([column]) => sum(found, column));
  element("funnel").replaceChildren(table("Reached the stage or one further along", ["stage", "leads", "of all", "of the stage before"],
    STEPS.map(([, label], place) => [label,
      [number(totals[place]), bar(totals[0] ? totals[place] / totals[0] : 0)],
      share(totals[place], totals[0]), place ? share(totals[place], totals[place - 1]) : ""])));
}

function showNow(chosen) {
  const open = data.stages.map(() => 0);
  const stale = data.stages.map(() => 0);
  for (let row = 0; row < (data.now.stage || []).length; row += 1) {
    if (!isChosen(data.now, row, chosen)) continue;
    open[data.now.stage[row]] += data.now.open[row];
    stale[data.now.stage[row]] += data.now.stale[row];
  }
  const largest = Math.max(1, ...open);
  element("now").replaceChildren(table("Open leads by stage", ["stage", "open", "stale"],
    data.stages.map((stage, place) => [stage, [number(open[place]), bar(open[place] / largest)], number(stale[place])])));
}

function show() {
  const chosen = choice();
  element("from").value = chosen.from;
  element("to").value = chosen.to;
  const found = chosenRows(chosen);
  const missing = gaps(chosen);
  const names = Object.entries(DIMENSIONS).filter(([name]) => chosen[name] !== "").map(([name, { names: all }]) => `${name} ${all[chosen[name]]}`);
  element("chosen").textContent = `${shownDay(chosen.first, "day")} to ${shownDay(chosen.last, "day")}, ${names.join(", ") || "everything"}.`;
  showTiles(chosen, found, missing);
  showNotes(missing);
  showTime(chosen, found);
  showParts(chosen, found);
  showFunnel(found);
  showNow(chosen);
}

// The choice is kept in the address, so that it can be sent or marked ----------------------------------

function remember() {
  const parameters = new URLSearchParams();
  for (const name of CHOICES) {
    const value = element(name).value;
    const isOwn = element("period").value === "own" || !["from", "to"].includes(name);
    if (isOwn && value !== (DEFAULTS[name] ?? "")) parameters.set(name, nameOf(name, value));
  }
  history.replaceState(null, "", `#${parameters}`);
}

// Places change from build to build; names do not.
function nameOf(name, value) {
  return name in DIMENSIONS && value !== "" ? DIMENSIONS[name].names[value] : value;
}

function recall() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  for (const name of CHOICES) {
    let value = parameters.get(name) ?? DEFAULTS[name] ?? "";
    if (!(name in DEFAULTS) && !/^\d{4}-\d\d-\d\d$/.test(value)) value = "";
    if (name in DIMENSIONS && value !== "") value = String(DIMENSIONS[name].names.indexOf(value));
    const control = element(name);
    control.value = value;
    if (control.value !== value) control.value = DEFAULTS[name] ?? "";
  }
}

function fill(id, options) {
  element(id).replaceChildren(...options.map(([value, label]) => made("option", { value }, label)));
}

fill("period", ["7", "28", "91", "all", "own"].map((period) => [period, PERIODS[period]]));
for (const [name, { names }] of Object.entries(DIMENSIONS)) {
  fill(name, [["", "all"], ...names.map((label, place) => [place, label])]);
}
fill("measure", MEASURES);
fill("part", Object.keys(DIMENSIONS).map((name) => [name, name]));
if (data.last_day === null || !data.starts.length) {
  element("chosen").textContent = "There is nothing to choose from yet.";
} else {
  for (const name of ["from", "to"]) {
    element(name).min = data.first_day;
    element(name).max = data.last_day;
    element(name).addEventListener("input", () => { element("period").value = "own"; });
  }
  recall();
  show();
  const changed = () => { show(); remember(); };
  for (const name of CHOICES) element(name).addEventListener("change", changed);
  element("choice").addEventListener("submit", (event) => event.preventDefault());
  element("choice").addEventListener("reset", (event) => {
    event.preventDefault();
    for (const [name, value] of Object.entries(DEFAULTS)) element(name).value = value;
    changed();
  });
  window.addEventListener("hashchange", () => { recall(); show(); });
}
