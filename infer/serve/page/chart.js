"use strict";
// Drawing: elements, the course of a score, bars and sparklines. Text is always
// set as text, never as markup.

const svgNames = "http://www.w3.org/2000/svg";

// el makes an element; an attribute that is a function listens, one that is
// null or false is left out.
function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNames, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// percent writes a probability with as many digits as tell it from 0 and 1.
function percent(p) {
  if (p === null || p === undefined) return "";
  const digits = p > 0 && p < 0.001 || p < 1 && p > 0.999 ? 3 : p < 0.01 || p > 0.99 ? 2 : 1;
  return (100 * p).toFixed(digits) + " %";
}

// points writes a difference of probabilities.
function points(x) {
  if (x === null || x === undefined) return "";
  const size = 100 * Math.abs(x), text = size.toFixed(size > 0 && size < 0.1 ? 3 : size < 1 ? 2 : 1);
  return Number(text) === 0 ? "0" : (x < 0 ? "−" : "+") + text;
}

function when(text) {
  return text.replace("T", " ").replace(/(\.\d+)?Z$/, "");
}

// bar draws a value between minus and plus largest, from the middle.
function bar(value, largest) {
  const chart = svg("svg", { viewBox: "-50 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 0, y1: 0, x2: 0, y2: 10, class: "grid" }));
  if (value && largest > 0) {
    const length = 50 * Math.abs(value) / largest;
    chart.append(svg("rect", { x: value < 0 ? -length : 0, y: 1, width: length, height: 8, class: value < 0 ? "down" : "up" }));
  }
  return chart;
}

// share draws a value between 0 and largest, from the left.
function share(value, largest) {
  return svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: 0, y: 1, width: largest > 0 ? Math.min(100, 100 * value / largest) : 0, height: 8, class: "bar-fill" }));
}

// sparkline draws one bar for each of the values.
function sparkline(values, says) {
  const largest = Math.max(...values, 0), wide = 240 / values.length;
  const chart = svg("svg", { viewBox: "0 0 240 32", preserveAspectRatio: "none", role: "img", "aria-label": says },
    svg("line", { x1: 0, x2: 240, y1: 31.5, y2: 31.5, class: "grid" }));
  values.forEach((value, i) => {
    if (value > 0) {
      const height = Math.max(1, 28 * value / largest);
      chart.append(svg("rect", { x: i * wide, y: 31 - height, width: wide * 0.8, height, class: "bar-fill" }));
    }
  });
  return chart;
}

// axisTop is a round number at or above a probability.
function axisTop(p) {
  for (let unit = 0.001; unit < 0.99; unit *= 10) {
    for (const step of [1, 2, 4, 6, 8]) {
      if (p <= unit * step && unit * step < 1) return unit * step;
    }
  }
  return 1;
}

// rankMoments are the events of the largest impacts, by place.
function rankMoments(events, target, most = 3) {
  const impact = (i) => Math.abs(events[i].impact[target] ?? 0);
  const order = events.map((_, i) => i).filter((i) => impact(i) > 0).sort((a, b) => impact(b) - impact(a) || a - b);
  return new Map(order.slice(0, most).map((i, rank) => [i, rank + 1]));
}

// course draws the score after each event and, below, what each event did to the
// score at the end, on space pixels or as many as it needs. Events stand side by
// side in their order. The arrow keys go through them.
function course(moments, target, marks, space) {
  const events = moments.events, eventWidth = 14, left = 64, right = 24;
  const top = 32, foot = 216, zero = 290, half = 50, height = 372;
  const width = Math.max(space, 560, left + right + (events.length + 2) * eventWidth);
  const room = (width - left - right) / (events.length + 2);
  const x = (place) => left + room * (place + 0.5);
  const scores = [moments.start, moments.final, ...events.map((e) => e.after)].filter(Boolean).map((s) => s[target]);
  const ceiling = axisTop(Math.max(...scores));
  const y = (p) => foot - p / ceiling * (foot - top);
  const largest = Math.max(...events.map((e) => Math.abs(e.impact[target] ?? 0)), 0);

  const chart = svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${target} after each event, and what each event did to the score at the end. The table below holds the same.` });
  for (let k = 0; k <= 4; k++) {
    const p = ceiling * k / 4;
    chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(p), y2: y(p) }),
      svg("text", { x: left - 8, y: y(p) + 4, "text-anchor": "end" }, Number((100 * p).toPrecision(3)) + " %"));
  }
  chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: zero, y2: zero }),
    svg("text", { x: left - 8, y: zero + 4, "text-anchor": "end" }, "impact"));
  if (largest > 0) chart.append(svg("text", { x: left - 8, y: zero - half + 8, "text-anchor": "end" }, points(largest)));

  const line = [[x(0), y(moments.start[target])]], groups = [];
  const every = Math.max(1, Math.ceil(events.length / Math.max(1, Math.floor((width - left - right) / 100))));
  events.forEach((event, i) => {
    const impact = event.impact[target], rank = marks.get(i), kind = impact > 0 ? "up" : "down", at = x(i + 1);
    const says = explainEvent(event, target, rank);
    const group = svg("g", { class: "event", role: "img", tabindex: i === 0 ? 0 : -1, "aria-label": says },
      svg("rect", { class: "hit", x: at - room / 2, y: 8, width: room, height: 336 }));
    if (impact && largest > 0) {
      const length = half * Math.abs(impact) / largest, wide = Math.min(room * 0.7, 18);
      group.append(svg("rect", { class: kind, x: at - wide / 2, y: impact > 0 ? zero - length : zero, width: wide, height: length }));
    }
    if (event.after) {
      line.push([at, y(event.after[target])]);
      group.append(svg("circle", { class: rank ? "dot " + kind : "dot", cx: at, cy: y(event.after[target]), r: rank ? 6 : 2.6 }));
      if (rank) group.append(svg("text", { class: kind, x: at, y: y(event.after[target]) - 12, "text-anchor": "middle" }, (impact > 0 ? "▲" : "▼") + rank));
    }
    tell(group, says);
    groups.push(group);
    if (i % every === 0) chart.append(svg("text", { x: at, y: height - 6, "text-anchor": "middle" }, event.time.slice(0, 10)));
  });
  const end = [x(events.length + 1), y(moments.final[target])];
  line.push(end);
  chart.append(svg("path", { class: "line", d: "M" + line.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L") }), ...groups,
    svg("circle", { class: "final", cx: end[0], cy: end[1], r: 5 }),
    svg("text", { class: "strong", x: width - right, y: end[1] + 24 < foot ? end[1] + 22 : end[1] - 26, "text-anchor": "end" }, percent(moments.final[target]) + " now"));
  chart.addEventListener("keydown", (press) => {
    const at = groups.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: groups.length - 1 }[press.key];
    if (at < 0 || to === undefined || !groups[to]) return;
    press.preventDefault();
    groups[at].setAttribute("tabindex", -1);
    groups[to].setAttribute("tabindex", 0);
    groups[to].focus();
  });
  return chart;
}

function explainEvent(event, target, rank) {
  const says = [event.type, when(event.time) + " UTC"];
  if (event.after) says.push("score after it: " + percent(event.after[target]));
  if (event.impact[target] !== null) says.push(`impact: ${points(event.impact[target])} points`);
  if (rank) says.push("moment of truth " + rank);
  return says.join("\n");
}

// tell shows a text beside a mark, to the pointer and to the keyboard.
function tell(mark, text) {
  const tip = document.getElementById("tip");
  const show = () => {
    tip.textContent = text;
    tip.hidden = false;
    const at = mark.getBoundingClientRect(), size = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(at.x + at.width / 2 - size.width / 2, innerWidth - size.width - 4)) + "px";
    tip.style.top = (at.y > size.height + 8 ? at.y - size.height - 6 : Math.min(at.bottom + 6, innerHeight - size.height - 4)) + "px";
  };
  const hide = () => { tip.hidden = true; };
  mark.addEventListener("pointerenter", show);
  mark.addEventListener("pointerleave", hide);
  mark.addEventListener("focus", show);
  mark.addEventListener("blur", hide);
}
