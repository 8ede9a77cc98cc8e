
// The page: it asks the server as any client does, and shows what it says.

const at = (id) => document.getElementById(id);
let token = "", models = [], form = null, paused = false;

// ask asks the server and returns its JSON.
async function ask(path, body) {
  const options = { headers: {}, cache: "no-store" };
  if (token) options.headers.Authorization = "Bearer " + token;
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = body;
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (answer.status === 401) {
    at("token-form").hidden = false;
    throw new Error(token ? "The server does not know this token." : "");
  }
  const text = await answer.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${answer.status} with what is not JSON.`);
  }
  if (!answer.ok) throw new Error(value.error || `The server answered ${answer.status}.`);
  return value;
}

function trouble(id, error) {
  at(id).textContent = error ? error.message : "";
  at(id).hidden = !error || !error.message;
}

// ---- Models

async function loadModels() {
  try {
    models = (await ask("/v1/models")).models;
    trouble("trouble", null);
  } catch (error) {
    trouble("trouble", error);
    at("summary").textContent = "";
    return;
  }
  at("token-form").hidden = true;
  document.querySelector("main").classList.remove("locked");
  const select = at("model"), chosen = select.value;
  const scoring = models.filter((m) => m.kind === "bundle" && m.ready);
  select.replaceChildren(...scoring.map((m) => el("option", { value: m.name }, m.name)));
  if (scoring.some((m) => m.name === chosen)) select.value = chosen;
  at("send").disabled = scoring.length === 0;
  at("model-list").replaceChildren(...models.map(modelCard));
  const chosenModel = current();
  if (chosenModel && (!form || form.key !== chosenModel.name + chosenModel.version)) await loadForm(chosenModel);
}

function current() {
  return models.find((m) => m.name === at("model").value);
}

const figures = [["auroc", "AUROC"], ["auprc", "AUPRC"], ["log_loss", "log-loss"], ["brier", "Brier"], ["ece", "ECE"]];

function modelCard(m) {
  const fact = (name, value) => value ? el("div", {}, el("dt", {}, name), el("dd", {}, value)) : null;
  const card = el("article", { class: "card", "data-model": m.name, "aria-label": "Model " + m.name },
    el("div", { class: "model-head" }, el("h3", {}, m.name),
      el("span", { class: m.ready ? "state" : "state not" }, m.ready ? (m.reason ? "● ready, a newer one refused" : "● ready") : "○ not ready")),
    m.reason ? el("p", { class: "warning" }, m.reason) : null,
    el("dl", {}, fact("kind", m.kind), fact("version", m.version && el("code", {}, m.version)), fact("since", m.loaded && when(m.loaded) + " UTC"),
      fact("pinned to", m.pinned && el("code", {}, m.pinned)), fact("shadow", m.shadow && el("code", {}, m.shadow)),
      fact("alert rate", m.anomaly && percent(m.alert_rate)), fact("evaluated on", m.metrics && m.metrics.rows && m.metrics.rows + " customers")));
  if (m.targets.length > 0) {
    const measured = (m.metrics && m.metrics.targets) || {}, known = figures.filter(([key]) => m.targets.some((t) => figure(measured[t.name], key)));
    card.append(el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "target"), el("th", { scope: "col", class: "number" }, "rate"),
        known.map(([, name]) => el("th", { scope: "col", class: "number" }, name)))),
      el("tbody", {}, m.targets.map((t) => el("tr", {}, el("th", { scope: "row" }, t.name),
        el("td", { class: "number" }, t.positive_rate === null ? "" : percent(t.positive_rate)),
        known.map(([key]) => el("td", { class: "number" }, figure(measured[t.name], key)))))))));
  }
  card.append(el("div", { class: "live" }));
  return card;
}

function figure(target, key) {
  const value = target && target[key];
  const mean = value && typeof value === "object" ? value.mean : value;
  return typeof mean === "number" ? mean.toFixed(4) : "";
}

const scrolling = (table) => el("div", { class: "scroll" }, table);

function verdict(psi) {
  return psi < 0.1 ? "stable" : psi < 0.25 ? "moved" : "moved far";
}

// showLive fills in what a model is doing now.
function showLive(model) {
  const card = [...document.querySelectorAll("[data-model]")].find((c) => c.dataset.model === model.name);
  if (!card) return;
  const parts = [];
  if (model.shadow) {
    parts.push(el("h4", {}, "Shadow minus live"), scrolling(el("table", {},
      el("caption", {}, `${model.shadow.scored} journeys compared, ${model.shadow.dropped} passed over, ${model.shadow.failed} failed. In points.`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "target"), ["mean", "mean size", "largest"].map((n) => el("th", { scope: "col", class: "number" }, n)))),
      el("tbody", {}, (model.shadow.targets || []).map((t) => el("tr", {}, el("th", { scope: "row" }, t.target),
        [points(t.difference), points(t.absolute).slice(1), points(t.largest).slice(1)].map((n) => el("td", { class: "number" }, n))))))));
  }
  if (model.drift && model.drift.length > 0) {
    const largest = Math.max(model.drift[0].psi, 0.25);
    parts.push(el("h4", {}, "Drift against training"), scrolling(el("table", {},
      el("caption", {}, "Population stability index of the columns that moved farthest; beyond 0.25 look into it."),
      el("tbody", {}, model.drift.map((d) => el("tr", {}, el("th", { scope: "row" }, d.column),
        el("td", { class: "number" }, d.psi.toFixed(3)), el("td", { class: "verdict" }, verdict(d.psi)), el("td", { class: "bar" }, share(d.psi, largest))))))));
  }
  card.querySelector(".live").replaceChildren(...parts);
}

// ---- Latency

const milliseconds = (x) => x === 0 ? "" : x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0);

async function showLatency() {
  if (paused || document.hidden || !at("token-form").hidden) return;
  let live;
  try {
    live = await ask("/page/live");
  } catch {
    at("summary").textContent = "The server does not answer.";
    return;
  }
  const own = (r) => r.route.startsWith("GET /page/") || r.route === "GET /{$}"; // what this page does to show itself
  const busy = live.routes.filter((r) => !own(r) && r.seconds.some((s) => s.count > 0));
  const rate = busy.reduce((sum, r) => sum + r.rate, 0), ready = models.filter((m) => m.ready).length;
  const score = busy.find((r) => r.route === "POST /v1/score");
  at("summary").textContent = `${ready} of ${models.length} ${models.length === 1 ? "model" : "models"} ready · ${rate.toFixed(1)} requests a second` +
    (score ? ` · scores within ${milliseconds(score.p50)} ms (median), ${milliseconds(score.p99)} ms (99 %)` : "");
  at("routes").tBodies[0].replaceChildren(...(busy.length ? busy.map(routeRow) :
    [el("tr", {}, el("td", { colspan: 6, class: "faint" }, "Nobody has asked for anything in the last minute."))]));
  live.models.forEach(showLive);
}

function routeRow(r) {
  const numbers = [r.rate.toFixed(1), milliseconds(r.p50), milliseconds(r.p99), r.failed || ""];
  return el("tr", {}, el("th", { scope: "row" }, r.route), numbers.map((n) => el("td", { class: "number" }, n)),
    el("td", { class: "spark" }, sparkline(r.seconds.map((s) => s.p99), `99 % by second, at most ${milliseconds(Math.max(...r.seconds.map((s) => s.p99)))} ms`)));
}

// ---- The form

async function loadForm(model) {
  let hints = { profile: [], event: [] };
  try {
    hints = await ask("/page/form?model=" + encodeURIComponent(model.name));
  } catch { /* the form works without */ }
  form = { key: model.name + model.version, model, hints };
  at("profile").replaceChildren(...model.profile.map((column, i) => el("label", {}, column.name, input("p", column, hints.profile[i]))));
  if (model.profile.length === 0) at("profile").append(el("p", { class: "faint" }, "The model knows no profile."));
  at("events").tHead.replaceChildren(el("tr", {}, ["time", "type", ...model.event.map((c) => c.name), ""].map((name) => el("th", { scope: "col" }, name))));
  at("events").tBodies[0].replaceChildren();
  at("result").hidden = true;
  addEvent();
  showJSON();
}

// input is the field of a column, with the levels that training knew.
function input(prefix, column, hint, label) {
  const id = prefix + "-" + column.name, levels = (hint && hint.levels) || [];
  const attributes = { "data-column": column.name, "data-kind": column.kind, autocomplete: "off", "aria-label": label || null };
  if (column.kind === "numeric") return el("input", { ...attributes, type: "number", step: "any" });
  if (levels.length === 0) return el("input", attributes);
  if (!at("levels-" + id)) at("journey").append(el("datalist", { id: "levels-" + id }, levels.map((level) => el("option", { value: level }))));
  return el("input", { ...attributes, list: "levels-" + id });
}

function addEvent(event = {}) {
  const { model, hints } = form, n = at("events").tBodies[0].rows.length + 1, attributes = event.attributes || {};
  if (!at("types")) at("journey").append(el("datalist", { id: "types" }));
  at("types").replaceChildren(...model.types.map((type) => el("option", { value: type })));
  const time = el("input", { type: "datetime-local", step: 1, "data-part": "time", "aria-label": `time of event ${n}` });
  setTime(time, event.time);
  const type = el("input", { list: "types", "data-part": "type", autocomplete: "off", "aria-label": `type of event ${n}` });
  type.value = event.type ?? "";
  const row = el("tr", {}, el("td", {}, time), el("td", {}, type), model.event.map((column, i) => {
    const field = input("e", column, hints.event[i], `${column.name} of event ${n}`);
    field.value = attributes[column.name] ?? "";
    return el("td", {}, field);
  }), el("td", {}, el("button", { type: "button", class: "plain", "aria-label": `Remove event ${n}`, click: () => removeEvent(row) }, "Remove")));
  at("events").tBodies[0].append(row);
  return row;
}

function removeEvent(row) {
  const next = row.nextElementSibling || row.previousElementSibling;
  row.remove();
  (next ? next.querySelector("button") : at("add")).focus();
  showJSON();
}

// values reads the fields of an element by column; empty ones are missing.
function values(element) {
  const found = {};
  for (const field of element.querySelectorAll("[data-column]")) {
    if (field.value !== "") found[field.dataset.column] = field.dataset.kind === "numeric" ? Number(field.value) : field.value;
  }
  return found;
}

// journeyOf is the journey in the form.
function journeyOf() {
  const journey = {};
  if (at("customer").value) journey.customer = at("customer").value;
  if (timeOf(at("at"))) journey.at = timeOf(at("at"));
  journey.profile = values(at("profile"));
  journey.events = [...at("events").tBodies[0].rows].map((row) => {
    const event = {}, attributes = values(row);
    const [time, type] = row.querySelectorAll("[data-part]");
    if (timeOf(time)) event.time = timeOf(time);
    if (type.value) event.type = type.value;
    if (Object.keys(attributes).length > 0) event.attributes = attributes;
    return event;
  }).filter((event) => Object.keys(event).length > 0);
  return journey;
}

function showJSON() {
  at("json").value = JSON.stringify(journeyOf(), null, 1);
}

// setTime shows a time, given as text or as seconds or milliseconds since 1970,
// and keeps what was given: the field knows no zones.
function setTime(field, time) {
  field.value = typeof time === "number" ? new Date(time > 1e11 ? time : 1000 * time).toISOString().slice(0, 19) : String(time ?? "").replace(" ", "T").slice(0, 19);
  field.exact = time ?? "";
  field.shown = field.value;
}

// timeOf is what was given to setTime, or what was chosen since.
function timeOf(field) {
  return field.value === field.shown ? field.exact : field.value;
}

// setJourney fills in the form.
function setJourney(journey) {
  at("customer").value = journey.customer ?? "";
  setTime(at("at"), journey.at);
  for (const field of at("profile").querySelectorAll("[data-column]")) field.value = (journey.profile || {})[field.dataset.column] ?? "";
  at("events").tBodies[0].replaceChildren();
  for (const { time, type, attributes, id, ...rest } of journey.events || []) {
    addEvent({ time, type, attributes: { ...rest, ...attributes } });
  }
  showJSON();
}

// exampleJourney makes one up of what training knew.
function exampleJourney() {
  const { model, hints } = form, pick = (list) => list[Math.floor(Math.random() * Math.min(list.length, 6))];
  const make = (columns, fields, spread) => Object.fromEntries(columns.map((column, i) => {
    const hint = fields[i] || { levels: [], typical: null };
    if (column.kind === "categorical") return [column.name, pick(hint.levels)];
    return [column.name, hint.typical === null ? undefined : Number((hint.typical * (1 + spread * (Math.random() - 0.5))).toPrecision(4))];
  }).filter(([, value]) => value !== undefined));
  const events = [], days = 86400e3;
  let time = Date.now() - 40 * days;
  for (let i = 0; i < 12 && model.types.length > 0; i++) {
    time += Math.random() * 5 * days / 2;
    events.push({ time: new Date(time).toISOString().slice(0, 19), type: pick(model.types), attributes: make(model.event, hints.event, 1) });
  }
  return { customer: "example", profile: make(model.profile, hints.profile, 0.4), events };
}

async function send(submit) {
  submit.preventDefault();
  const model = current(), body = JSON.stringify({ model: model.name, reasons: 5, moments: true, ...journeyOf() });
  at("send").disabled = true;
  const began = performance.now();
  try {
    const answer = await ask("/v1/score", body);
    at("took").textContent = `Answered in ${milliseconds(performance.now() - began)} ms, the way there and back included.`;
    trouble("wrong", null);
    showResult(model, answer);
  } catch (error) {
    at("took").textContent = "";
    trouble("wrong", error);
  }
  at("send").disabled = false;
}

// ---- The result

function showResult(model, answer) {
  const result = at("result"), targets = model.targets.map((t) => t.name).filter((name) => name in answer.scores);
  const seen = answer.events === 0 ? "from the profile alone" : `after ${answer.events} ${answer.events === 1 ? "event" : "events"}`;
  const parts = [el("h3", { id: "result-title" }, `${answer.customer ? "Customer " + answer.customer : "This journey"}, ${seen}`),
    el("p", { class: "faint" }, `Model ${answer.model}, version `, el("code", {}, answer.version), answer.cutoff ? `, as of ${when(answer.cutoff)} UTC.` : ".")];
  parts.push(el("div", { class: "scores" }, targets.map((name) => scoreOf(model, name, answer.scores[name])), anomalyOf(model, answer)));
  const detail = el("div", {});
  if (targets.length > 1) parts.push(chooser(targets, (target) => detail.replaceChildren(...detailOf(answer, target))));
  if (targets.length > 0) detail.append(...detailOf(answer, targets[0]));
  parts.push(detail);
  const strange = (answer.reasons || []).filter((r) => r.target === "anomaly");
  if (strange.length > 0) parts.push(el("h4", {}, "What is unusual about it"), reasonsTable(strange, "Shares of the anomaly's score, negative where there is less than was expected.", (x) => (x < 0 ? "−" : "") + Math.abs(100 * x).toFixed(0) + " %"));
  result.replaceChildren(...parts);
  result.hidden = false;
  result.focus({ preventScroll: true });
  result.scrollIntoView({ block: "nearest" });
}

function scoreOf(model, name, p) {
  const rate = model.targets.find((t) => t.name === name).positive_rate;
  return el("div", { class: "score" }, el("span", { class: "faint" }, name), el("b", {}, percent(p)),
    el("span", { class: "faint" }, rate ? `${(p / rate).toFixed(p / rate < 10 ? 1 : 0)} × the rate of ${percent(rate)}` : ""));
}

function anomalyOf(model, answer) {
  if (answer.anomaly === null) return null;
  const flagged = answer.anomaly <= model.alert_rate;
  return el("div", { class: "score" }, el("span", { class: "faint" }, "anomaly"), el("b", {}, flagged ? "unusual" : "not unusual"),
    el("span", { class: "faint" }, `${percent(answer.anomaly)} of normal journeys are as strange; flagged at ${percent(model.alert_rate)}`));
}

function chooser(targets, choose) {
  return el("fieldset", { class: "choice" }, el("legend", { class: "hidden" }, "Target"), targets.map((target, i) =>
    el("label", {}, el("input", { type: "radio", name: "target", value: target, checked: i === 0, change: () => choose(target) }), target)));
}

// detailOf is the course and the reasons of one target.
function detailOf(answer, target) {
  const parts = [], moments = answer.moments;
  if (moments && moments.events.length > 0) {
    const marks = rankMoments(moments.events, target);
    parts.push(el("figure", {}, el("div", { class: "scroll" }, course(moments, target, marks, at("journey").clientWidth - 34)),
      el("figcaption", {}, "Above, the score right after each event; below, what the event did to the score at the end, in points. The numbered events are the moments of truth. Point at an event, or go through them with the arrow keys. Impacts are what the networks expect, not proven causes.")),
    el("details", {}, el("summary", {}, "The same as a table"), scrolling(eventsTable(moments, target, marks))));
  }
  const reasons = (answer.reasons || []).filter((r) => r.target === target);
  if (reasons.length > 0) parts.push(el("h4", {}, `What makes ${target} what it is`), reasonsTable(reasons, "In points, against typical values.", points));
  return parts;
}

function eventsTable(moments, target, marks) {
  const largest = Math.max(...moments.events.map((e) => Math.abs(e.impact[target] ?? 0)), 0);
  return el("table", {},
    el("caption", {}, `${target} before the first event: ${percent(moments.start[target])}; now: ${percent(moments.final[target])}. Times are in UTC.`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "time"), el("th", { scope: "col" }, "event"),
      ["score after", "impact"].map((n) => el("th", { scope: "col", class: "number" }, n)), el("th", { scope: "col" }, ""))),
    el("tbody", {}, moments.events.map((event, i) => el("tr", { class: marks.has(i) ? "moment" : null },
      el("td", { class: "time" }, when(event.time)), el("th", { scope: "row" }, (marks.has(i) ? (event.impact[target] > 0 ? "▲" : "▼") + marks.get(i) + " " : "") + event.type),
      el("td", { class: "number" }, event.after ? percent(event.after[target]) : ""), el("td", { class: "number" }, points(event.impact[target])),
      el("td", { class: "bar" }, bar(event.impact[target], largest))))));
}

function reasonsTable(reasons, caption, write) {
  const largest = Math.max(...reasons.map((r) => Math.abs(r.impact)), 0);
  return el("div", { class: "scroll" }, el("table", {}, el("caption", {}, caption),
    el("tbody", {}, reasons.map((r) => el("tr", {}, el("th", { scope: "row" }, r.group), el("td", { class: "number" }, write(r.impact)), el("td", { class: "bar" }, bar(r.impact, largest)))))));
}

// ---- Start

at("journey").addEventListener("submit", send);
at("journey").addEventListener("input", (change) => { if (change.target !== at("json")) showJSON(); });
at("model").addEventListener("change", () => loadForm(current()));
at("add").addEventListener("click", () => {
  addEvent().querySelector("input").focus();
  showJSON();
});
at("example").addEventListener("click", () => setJourney(exampleJourney()));
at("apply").addEventListener("click", () => {
  try {
    setJourney(JSON.parse(at("json").value));
    trouble("wrong", null);
  } catch (error) {
    trouble("wrong", error);
  }
});
at("token-form").addEventListener("submit", (submit) => {
  submit.preventDefault();
  token = at("token").value;
  loadModels();
});
at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", paused);
  at("pause").textContent = paused ? "Go on" : "Pause";
});
loadModels().then(showLatency);
setInterval(showLatency, 1000);
setInterval(() => { if (!paused && !document.hidden && at("token-form").hidden) loadModels().then(showLatency); }, 10000);
