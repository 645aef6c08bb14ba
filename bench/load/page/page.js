/* Draws the run that is embedded in this page. Every part but the figures may be missing: its section is then left out. Nothing
 * of the run is ever taken for HTML: all text goes in by textContent. */
"use strict";
(function () {
  const root = document.documentElement, main = document.getElementById("main");
  const charts = [];

  /* ---- what the run tells, whatever it is ---- */

  const isNumber = (x) => typeof x === "number" && isFinite(x);
  const isObject = (x) => typeof x === "object" && x !== null && !Array.isArray(x);
  const objectOf = (x) => (isObject(x) ? x : {});
  const listOf = (x) => (Array.isArray(x) ? x : []);
  const rowsOf = (x) => listOf(x).filter(isObject);
  const numbersOf = (x) => listOf(x).map((v) => (isNumber(v) ? v : null));
  const textOf = (x) => (typeof x === "string" ? x : x === undefined || x === null ? "" : JSON.stringify(x));
  const positive = (values) => values.map((v) => (isNumber(v) && v > 0 ? v : null)); /* a log scale has no 0 */
  const anyNumber = (values) => values.some(isNumber);
  const ascending = (values) => values.every((v, i) => isNumber(v) && (i === 0 || v > values[i - 1]));

  function tell(x) {
    if (!isNumber(x)) return "";
    const size = Math.abs(x);
    const digits = size >= 100 || Number.isInteger(x) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return size > 0 && size < 0.001 ? x.toPrecision(2) : x.toLocaleString("en", { maximumFractionDigits: digits });
  }
  const count = (n, one, many) => tell(n) + " " + (n === 1 ? one : many);
  const plain = (key) => key.replace(/_/g, " ");

  /* ---- HTML ---- */

  function make(parent, name, text, attributes) {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(element);
    return element;
  }

  /* columns: [{head, cell(row), words}], the first names the row */
  function table(parent, columns, rows, options) {
    const { caption, tall, rowClass } = options || {};
    const box = make(parent, "div", null, { class: tall ? "tall" : "wide", tabindex: "0", role: "region", "aria-label": caption || "table" });
    const element = make(box, "table");
    if (caption) make(element, "caption", caption);
    const head = make(make(element, "thead"), "tr");
    columns.forEach((c, i) => make(head, "th", c.head, i === 0 || c.words ? { scope: "col", class: "words" } : { scope: "col" }));
    const body = make(element, "tbody");
    rows.forEach((row) => {
      const line = make(body, "tr", null, rowClass && rowClass(row) ? { class: rowClass(row) } : {});
      columns.forEach((c, i) => {
        const value = c.cell(row), text = isNumber(value) ? tell(value) : textOf(value);
        make(line, i === 0 ? "th" : "td", text, i === 0 ? { scope: "row" } : c.words ? { class: "words" } : {});
      });
    });
    return element;
  }

  /* Long tables are made when they are opened. */
  function folded(parent, words, fill, onPaper) {
    const details = make(parent, "details");
    if (onPaper) details.dataset.paper = "";
    make(details, "summary", words);
    let filled = false;
    details.fill = () => {
      if (!filled) fill(details);
      filled = true;
    };
    details.addEventListener("toggle", () => details.open && details.fill());
  }

  function definitions(parent, pairs) {
    const list = make(parent, "dl");
    pairs.filter((p) => p[1] !== "").forEach(([term, text, name]) => {
      make(list, "dt", term);
      make(make(list, "dd"), name || "span", text);
    });
  }

  /* A part that is not as expected does not take the others with it. */
  function section(title, id, draw) {
    const box = make(main, "section", null, { id });
    try {
      if (draw(box) === false) return box.remove();
      box.insertBefore(make(null, "h2", title), box.firstChild);
    } catch (error) {
      box.textContent = "";
      make(box, "h2", title);
      fail(box, error);
    }
  }
  function fail(parent, error) {
    root.dataset.error = String(error);
    make(parent, "p", "This part of the run could not be drawn: " + error, { class: "broken", role: "alert" });
  }

  /* ---- charts ---- */

  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 2]];

  function axis(spec, extra) {
    const font = '12px system-ui, "Segoe UI", Roboto, Arial, sans-serif';
    return Object.assign({
      label: spec.label, labelSize: 22, labelGap: 2, labelFont: font, font, stroke: colour("soft"), gap: 5,
      grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("line"), width: 1, size: 5 },
      values: spec.values || ((u, splits) => splits.map((v) => tell(v))),
      size: (u, values) => 18 + Math.max(12, ...(values || []).map((v) => 7 * String(v === null ? "" : v).length)),
    }, spec.splits ? { splits: spec.splits } : {}, extra);
  }
  const range = (spec) => (spec.log ? { distr: 3, log: 10 }
    : { range: (u, low, high) => [0, isNumber(high) && high > 0 ? high * 1.06 : 1] });

  function lineSeries(s, i) {
    return {
      label: s.label, scale: s.right ? "right" : "y", stroke: colour(s.colour || "c" + (1 + (i % 6))), width: 1.75,
      dash: s.dash || dashes[i % dashes.length], fill: s.fill ? colour(s.fill) : null, spanGaps: s.spanGaps === true,
      points: Object.assign({ size: 7, fill: colour("paper") }, s.points === undefined ? {} : { show: s.points }),
      value: (u, v, index, at) => tell(s.raw && at !== null ? s.raw[at] : v) || "\u2013",
    };
  }

  function chartOptions(spec, width) {
    const live = (u) => u.root.querySelector(".u-legend").classList.toggle("live", u.cursor.idx !== null && u.cursor.idx !== undefined);
    const scales = { x: spec.x.log ? { time: false, distr: 3, log: 10 } : { time: false }, y: range(spec.y) };
    if (spec.x.range) scales.x.range = spec.x.range;
    if (spec.right) scales.right = range(spec.right);
    const axes = [axis(spec.x, { size: 30, space: spec.x.space || 60 }), axis(spec.y, { scale: "y" })];
    if (spec.right) axes.push(axis(spec.right, { scale: "right", side: 1, grid: { show: false } }));
    return {
      width, height: spec.height || 280, scales, axes, padding: [12, spec.right ? 0 : 14, 0, 0],
      series: [{ label: spec.x.legend || spec.x.label, value: (u, v) => (spec.x.tell || tell)(v) }].concat(spec.series.map(lineSeries)),
      legend: { markers: { width: 2, dash: (u, i) => ((spec.series[i - 1].dash || dashes[(i - 1) % dashes.length]).length ? "dashed" : "solid") } },
      cursor: Object.assign({ y: false }, spec.sync ? { sync: { key: spec.sync, setSeries: false } } : {}),
      hooks: { setCursor: [live], draw: spec.draw ? [spec.draw] : [] },
    };
  }

  /* spec: caption, xs, x, y, right: {label, log, ...}, series: [{label, data, ...}], draw(u) */
  function chart(parent, spec) {
    const figure = make(parent, "figure");
    make(figure, "figcaption", spec.caption);
    const box = make(figure, "div", null, { role: "img", "aria-label": spec.caption + ". The numbers are in a table of this section." });
    const data = [spec.xs].concat(spec.series.map((s) => s.data));
    const entry = {
      draw() {
        if (entry.plot) entry.plot.destroy();
        entry.width = Math.max(240, Math.floor(box.clientWidth));
        entry.plot = new uPlot(chartOptions(spec, entry.width), data, box);
      },
      fit() {
        const width = Math.max(240, Math.floor(box.clientWidth));
        if (width !== entry.width) {
          entry.width = width;
          entry.plot.setSize({ width, height: spec.height || 280 });
        }
      },
    };
    entry.draw();
    charts.push(entry);
    return figure;
  }

  function verticalMark(u, x, words) {
    const at = Math.round(u.valToPos(x, "x", true)), c = u.ctx, dpr = devicePixelRatio || 1;
    c.save();
    c.strokeStyle = c.fillStyle = colour("bad");
    c.lineWidth = 1.5 * dpr;
    c.setLineDash([6 * dpr, 4 * dpr]);
    c.beginPath();
    c.moveTo(at, u.bbox.top);
    c.lineTo(at, u.bbox.top + u.bbox.height);
    c.stroke();
    c.font = "600 " + 12 * dpr + "px system-ui, Arial, sans-serif";
    const right = at + c.measureText(words).width + 8 * dpr < u.bbox.left + u.bbox.width;
    c.textAlign = right ? "left" : "right";
    c.textBaseline = "top";
    c.fillText(words, at + (right ? 6 : -6) * dpr, u.bbox.top + 2 * dpr);
    c.restore();
  }
  function crossMark(u, x, y) {
    const px = u.valToPos(x, "x", true), py = u.valToPos(y, "y", true), c = u.ctx, r = 6 * (devicePixelRatio || 1);
    c.save();
    c.strokeStyle = colour("bad");
    c.lineWidth = r / 2.5;
    c.beginPath();
    c.moveTo(px - r, py - r);
    c.lineTo(px + r, py + r);
    c.moveTo(px - r, py + r);
    c.lineTo(px + r, py - r);
    c.stroke();
    c.restore();
  }

  /* The table beside a chart over time, and every second under it. */
  function timeTables(parent, below, times, series) {
    const sorted = (values) => values.filter(isNumber).sort((a, b) => a - b);
    table(parent, [
      { head: "a second", cell: (s) => s.label },
      { head: "least", cell: (s) => sorted(s.raw || s.data)[0] },
      { head: "median", cell: (s) => { const v = sorted(s.raw || s.data); return v[Math.floor((v.length - 1) / 2)]; } },
      { head: "most", cell: (s) => sorted(s.raw || s.data).pop() },
    ], series, { caption: "over " + count(times.length, "second", "seconds") });
    folded(below, "every second", (details) => table(details,
      [{ head: "second", cell: (i) => times[i] }].concat(series.map((s) => ({ head: s.label, cell: (i) => (s.raw || s.data)[i] }))),
      times.map((t, i) => i), { caption: "every second", tall: true }));
  }

  /* ---- the sections ---- */

  function verdict(run, figures) {
    const told = (key) => isNumber(figures[key]);
    const faults = [], good = [], unsaid = [];
    const zero = (key, bad, none) => {
      if (!told(key)) unsaid.push(none[1]);
      else if (figures[key] > 0) faults.push(bad(figures[key]));
      else good.push(none[0]);
    };
    zero("load.lost", (n) => count(n, "event", "events") + " lost", ["nothing lost", "whether something was lost"]);
    zero("load.doubled", (n) => tell(n) + " doubled", ["nothing doubled", "whether something came twice"]);
    if (figures["load.unknown"] > 0) faults.push(count(figures["load.unknown"], "row", "rows") + " that nobody sent");
    if (figures["load.sos_silent"] > 0) faults.push(tell(figures["load.sos_silent"]) + " SOS without an alert");
    const words = (list) => { const t = list.join(", "); return t.charAt(0).toUpperCase() + t.slice(1); };
    const kind = faults.length ? "bad" : unsaid.length ? "mid" : "good";
    const box = make(main, "div", null, { class: "verdict " + kind, id: "verdict", "data-verdict": kind });
    if (!faults.length && !good.length) make(box, "strong", "This run does not tell whether something was lost or doubled");
    else make(box, "strong", words(faults.length ? faults : good));
    const more = [];
    if (faults.length && good.length) more.push(words(good) + ".");
    if (unsaid.length && good.length + faults.length) more.push("The run does not tell " + unsaid.join(" and ") + ".");
    if (kind === "good") more.push("Each event that was acknowledged stands in the archive once.");
    if (told("load.sent") && told("load.acked")) {
      const missing = figures["load.sent"] - figures["load.acked"];
      more.push(missing > 0 ? tell(missing) + " of " + count(figures["load.sent"], "report", "reports") + " were never acknowledged."
        : "All " + count(figures["load.sent"], "report was", "reports were") + " acknowledged.");
    }
    if (more.length) make(box, "p", more.join(" "));
  }

  function tiles(run, figures) {
    const list = make(null, "ul", null, { class: "tiles" });
    const tile = (big, small) => {
      const item = make(list, "li");
      make(item, "b", big);
      small.filter((s) => s !== "").forEach((s) => make(item, "span", s));
    };
    const latency = (key, what) => {
      const at = (p) => figures["load." + key + "_" + p + "_ms"];
      if (isNumber(at("p99"))) {
        tile(tell(at("p99")) + " ms", ["99 % of " + what + " came within",
          [["median", at("p50")], ["worst", at("max")]].filter((p) => isNumber(p[1])).map((p) => p[0] + " " + tell(p[1]) + " ms").join(", ")]);
      }
    };
    latency("alert", "the alerts");
    latency("sos", "the SOS alerts");
    if (isNumber(figures["load.sent_per_s"])) tile(tell(figures["load.sent_per_s"]) + " /s", ["reports sent a second"]);
    const knee = objectOf(run.knee), held = rowsOf(run.steps).filter((s) => !s.broke).map((s) => s.rate).filter(isNumber);
    if (isNumber(knee.rate)) tile(tell(knee.rate) + " /s", ["the knee: the highest rate that held", textOf(knee.by) ? "gave way: " + textOf(knee.by) : ""]);
    else if (isObject(run.knee) && held.length) tile(tell(Math.max(...held)) + " /s", ["the highest rate that held", "knee: " + (textOf(knee.by) || "not found")]);
    const truth = rowsOf(run.truth), sum = (key) => truth.reduce((n, r) => n + (isNumber(r[key]) ? r[key] : 0), 0);
    if (truth.length && truth.every((r) => isNumber(r.missed) && isNumber(r.happened))) {
      tile(tell(sum("missed")) + " of " + tell(sum("happened")), ["things that happened raised no alert",
        truth.every((r) => isNumber(r.false)) ? count(sum("false"), "false alert", "false alerts") : ""]);
    }
    if (list.childElementCount) main.appendChild(list);
  }

  function head(run, figures) {
    make(main, "h1", "Load run" + (textOf(run.date) ? " of " + textOf(run.date).replace("T", " ").replace(/Z$/, " UTC") : ""));
    document.title = ["Load run", textOf(run.date), textOf(run.commit)].filter((s) => s).join(" ");
    verdict(run, figures);
    tiles(run, figures);
    const versions = Object.entries(objectOf(run.versions)).map(([k, v]) => k + " " + textOf(v)).join(", ");
    definitions(main, [["Machine", textOf(run.machine)], ["Versions", versions], ["Commit", textOf(run.commit), "code"],
      ["Command", textOf(run.command), "code"]]);
    const options = Object.entries(objectOf(run.options));
    if (options.length) {
      folded(main, "all options of the run", (details) => table(details,
        [{ head: "option", cell: (o) => o[0] }, { head: "value", cell: (o) => o[1], words: true }], options), true);
    }
  }

  function secondsOf(run, wanted) {
    const seconds = objectOf(run.seconds), times = numbersOf(seconds.t);
    const series = wanted.map((w) => Object.assign({}, w, { data: numbersOf(seconds[w.key]).slice(0, times.length) }));
    return { times, series: series.filter((s) => anyNumber(s.data)), good: times.length > 1 && ascending(times) };
  }
  const timeAxis = { label: "seconds since the start", legend: "second" };

  function timeSection(parent, intro, spec, times, series) {
    make(parent, "p", intro, { class: "soft" });
    series.forEach((s) => { s.points = times.length < 20 && !s.fill; });
    const pair = make(parent, "div", null, { class: "pair" });
    chart(pair, Object.assign({ xs: times, x: timeAxis, sync: "time", series }, spec));
    timeTables(make(pair, "div"), parent, times, series);
  }

  function latencyOverTime(run, parent) {
    const { times, series, good } = secondsOf(run, [
      { key: "alert_p50_ms", label: "median, ms" }, { key: "alert_p99_ms", label: "99 %, ms" }, { key: "alert_max_ms", label: "worst, ms" },
      { key: "archive_ms", label: "the archive behind, ms" }]);
    series.forEach((s) => { s.raw = s.data; s.data = positive(s.data); s.spanGaps = true; });
    if (!good || !series.some((s) => anyNumber(s.data))) return false;
    timeSection(parent, "From the moment a report had to leave to its alert at a listener, by the second: what waits in a queue is in it. Logarithmic.",
      { caption: "Latency of the alerts over time", y: { label: "ms", log: true } }, times, series);
  }

  function throughput(run, parent) {
    const { times, series, good } = secondsOf(run, [
      { key: "sent", label: "sent" }, { key: "acked", label: "acknowledged" }, { key: "alerts", label: "alerts" },
      { key: "unacked", label: "waiting", right: true, colour: "c4" }]);
    if (!good || !series.length) return false;
    const right = series.some((s) => s.right) ? { label: "waiting for their acknowledgement" } : undefined;
    timeSection(parent, "Reports sent and acknowledged in each second" + (right ? "; on the right axis, how many waited for their acknowledgement." : "."),
      { caption: "Throughput over time", y: { label: "a second" }, right }, times, series);
  }

  function cpuOverTime(run, parent) {
    const times = numbersOf(objectOf(run.seconds).t), parts = objectOf(objectOf(run.seconds).cpu);
    const names = Object.keys(parts).filter((n) => anyNumber(numbersOf(parts[n])));
    if (times.length < 2 || !ascending(times) || !names.length) return false;
    const sums = times.map(() => 0);
    const series = names.map((name, i) => {
      const raw = times.map((t, at) => (isNumber(parts[name][at]) ? parts[name][at] : null));
      raw.forEach((v, at) => { sums[at] += v || 0; });
      return { label: name, raw, data: sums.slice(), colour: "c" + (1 + (i % 6)), fill: "c" + (1 + (i % 6)), dash: [], points: false };
    });
    timeSection(parent, "Cores in use by each part, one upon the other: the upper edge is what all use together.",
      { caption: "CPU over time", y: { label: "cores" } }, times, series.reverse()); /* the highest is drawn first */
  }

  const nines = (percent) => -Math.log10(1 - percent / 100);
  const percentOf = (x) => 100 - Math.pow(10, 2 - x);
  const percentWords = (x) => (x <= 0 ? "0 %" : percentOf(x).toFixed(Math.max(0, Math.ceil(x - 1e-9) - 2)) + " %");

  function percentiles(run, parent) {
    const names = { alert: "alerts", sos: "SOS alerts", archived: "in the archive" };
    const kinds = Object.entries(objectOf(run.latency)).map(([key, list]) => ({
      label: names[key] || plain(key),
      points: listOf(list).filter((p) => Array.isArray(p) && isNumber(p[0]) && isNumber(p[1]) && p[0] >= 0 && p[0] <= 100).sort((a, b) => a[0] - b[0]),
    })).filter((k) => k.points.length > 1);
    if (!kinds.length) return false;
    const joined = uPlot.join(kinds.map((k) => {
      const points = k.points.filter((p) => p[0] < 100 && p[1] > 0);
      return [points.map((p) => nines(p[0])), points.map((p) => p[1])];
    }));
    make(parent, "p", "How many came within which time; each line to the right is one nine more. Logarithmic.", { class: "soft" });
    const pair = make(parent, "div", null, { class: "pair" });
    const last = Math.max(1, ...joined[0]);
    if (joined[0].length > 1) chart(pair, {
      caption: "Percentiles of the latency", xs: joined[0], y: { label: "ms", log: true },
      x: { label: "share that came within", legend: "share", tell: (x) => (isNumber(x) ? tellPercent(percentOf(x)) : ""), range: () => [0, last * 1.02],
        splits: () => Array.from({ length: Math.floor(last) + 1 }, (v, i) => i), values: (u, splits) => splits.map(percentWords), space: 40 },
      series: kinds.map((k, i) => ({ label: k.label + ", ms", data: joined[i + 1], spanGaps: true })),
    });
    const wanted = [50, 90, 99, 99.9, 99.99, 99.999, 100].filter((p) => kinds.some((k) => k.points[k.points.length - 1][0] >= p - 1e-9));
    table(make(pair, "div"), [{ head: "share", cell: (p) => (p === 100 ? "worst" : p + " %") }].concat(kinds.map((k) => ({
      head: k.label + ", ms", cell: (p) => {
        const at = k.points.find((q) => q[0] >= p - 1e-9);
        return at ? (Math.abs(at[0] - p) < 1e-9 ? "" : "\u2264 ") + tell(at[1]) : "";
      } }))), wanted, { caption: "within, ms" });
  }
  const tellPercent = (p) => String(Number(p.toPrecision(7))) + " %";

  /* ---- the ladder ---- */

  function cpuNames(rows) {
    return [...new Set(rows.flatMap((r) => Object.keys(objectOf(r.cpu))))];
  }

  function ladder(run, parent) {
    const steps = rowsOf(run.steps);
    if (!steps.length) return false;
    const sorted = steps.filter((s) => isNumber(s.rate)).sort((a, b) => a.rate - b.rate), xs = sorted.map((s) => s.rate);
    const knee = objectOf(run.knee), parts = cpuNames(steps);
    const many = new Set(xs).size > 1, broke = steps.some((s) => s.broke);
    if (many) make(parent, "p", "Each step offers another rate" + (broke ? "; a cross marks one that did not hold." : "."), { class: "soft" });
    if (isNumber(knee.rate) && isNumber(knee.broke_at)) {
      make(parent, "p", tell(knee.rate) + " reports a second held, " + tell(knee.broke_at) + " did not" + (textOf(knee.what) ? ": " + textOf(knee.what) : "") + "." +
        (textOf(knee.by) ? " What gave way: " + textOf(knee.by) + (textOf(knee.why) ? " (" + textOf(knee.why) + ")" : "") + "." : ""));
    }
    const x = { label: "reports a second", legend: "rate", range: (u, low, high) => { const more = (high - low) / 25 || 1; return [low - more, high + more]; } };
    const mark = (u) => {
      if (isNumber(knee.rate) && broke) verticalMark(u, knee.rate, "knee" + (textOf(knee.by) ? ": " + textOf(knee.by) : ""));
    };
    const over = [["alert_p50_ms", "median, ms"], ["alert_p99_ms", "99 %, ms"], ["alert_max_ms", "worst, ms"]]
      .map(([key, label]) => ({ key, label, data: positive(sorted.map((s) => s[key])), points: true, spanGaps: true })).filter((s) => anyNumber(s.data));
    if (many) {
      const halves = make(parent, "div", null, { class: "halves" });
      const worst = over.find((s) => s.key === "alert_p99_ms") || over[0];
      if (over.length) chart(halves, { caption: "Latency by rate", xs, x, y: { label: "ms", log: true }, series: over, draw: (u) => {
        mark(u);
        sorted.forEach((s, i) => { if (s.broke && isNumber(worst.data[i])) crossMark(u, xs[i], worst.data[i]); });
      } });
      const cpu = parts.map((p) => ({ label: p, data: sorted.map((s) => (isNumber(objectOf(s.cpu)[p]) ? s.cpu[p] : null)), points: true }));
      if (cpu.length) chart(halves, { caption: "CPU by rate", xs, x, y: { label: "cores" }, series: cpu, draw: mark });
    }
    stepTable(parent, steps, parts);
  }

  function stepTable(parent, steps, parts) {
    const heads = { rate: "rate /s", seconds: "s", sent_per_s: "sent /s", acked_per_s: "acked /s", alerts: "alerts", alert_p50_ms: "median ms",
      alert_p90_ms: "90 % ms", alert_p99_ms: "99 % ms", alert_max_ms: "worst ms", archive_p50_ms: "archived, median ms",
      archive_p99_ms: "archived, 99 % ms", unacked: "waiting", lag_ms: "behind schedule ms" };
    const others = [...new Set(steps.flatMap((s) => Object.keys(s)))].filter((k) => !(k in heads) && !["cpu", "broke", "by"].includes(k));
    const columns = Object.keys(heads).filter((k) => steps.some((s) => k in s)).map((k) => ({ head: heads[k], cell: (s) => s[k] }))
      .concat(parts.map((p) => ({ head: p + " cores", cell: (s) => objectOf(s.cpu)[p] })))
      .concat(others.map((k) => ({ head: plain(k), cell: (s) => s[k], words: steps.some((s) => typeof s[k] === "string") })));
    if (steps.some((s) => s.broke)) {
      columns.splice(1, 0, { head: "broke", words: true, cell: (s) => (s.broke ? textOf(s.broke) + (textOf(s.by) ? " (" + textOf(s.by) + ")" : "") : "") });
    }
    table(parent, columns, steps, { caption: "every step", rowClass: (s) => (s.broke ? "broke" : "") });
  }

  /* ---- truth, cost, figures ---- */

  function truth(run, parent) {
    const rows = rowsOf(run.truth);
    if (!rows.length) return false;
    make(parent, "p", "What the simulated pupils really did, held against the alerts that came.", { class: "soft" });
    const heads = { what: "what", happened: "happened", found: "found", missed: "missed", false: "false alerts", doubled: "doubled", late: "late",
      delay_p50_s: "delay, median s", delay_p99_s: "delay, 99 % s" };
    const others = [...new Set(rows.flatMap((r) => Object.keys(r)))].filter((k) => !(k in heads));
    const columns = Object.keys(heads).concat(others).filter((k) => k === "what" || rows.some((r) => k in r))
      .map((k) => ({ head: heads[k] || plain(k), cell: (r) => r[k] }));
    if (rows.some((r) => isNumber(r.found) && r.happened > 0)) {
      columns.push({ head: "found, %", cell: (r) => (isNumber(r.found) && r.happened > 0 ? (Math.floor((10000 * r.found) / r.happened) / 100).toFixed(2) : "") });
    }
    table(parent, columns, rows, { caption: "alerts against the truth" });
  }

  function cost(run, parent) {
    const rows = rowsOf(run.scale);
    if (!rows.length) return false;
    const distinct = (key) => [...new Set(rows.map((r) => r[key]).filter(isNumber))].sort((a, b) => a - b);
    const byCards = distinct("cards").length > 1, key = byCards ? "cards" : "schools", xs = distinct(key);
    const groups = byCards && distinct("schools").length > 1 ? distinct("schools") : [null];
    make(parent, "p", "What one event costs, and one card holds, as the city grows. A flat line is what one hopes for.", { class: "soft" });
    const pair = make(parent, "div", null, { class: "pair" });
    const series = [];
    [["ns", "ns an event", false], ["bytes_per_card", "bytes a card", true]].forEach(([what, label, right]) => groups.forEach((group) => {
      const data = xs.map((x) => { const r = rows.find((q) => q[key] === x && (group === null || q.schools === group)); return r && isNumber(r[what]) ? r[what] : null; });
      if (anyNumber(data)) series.push({ label: label + (group === null ? "" : ", " + tell(group) + " schools"), data, right, points: true, spanGaps: true });
    }));
    const right = series.some((s) => s.right) ? { label: "bytes a card" } : undefined;
    if (xs.length > 1 && xs[0] > 0 && series.some((s) => !s.right)) {
      chart(pair, { caption: "Cost against size", xs, x: { label: key + " (logarithmic)", legend: key, log: true }, y: { label: "ns an event" }, right, series });
    }
    const keys = [...new Set(rows.flatMap((r) => Object.keys(r)))];
    table(make(pair, "div"), keys.map((k) => ({ head: k === "ns" ? "ns an event" : plain(k), cell: (r) => r[k] })), rows, { caption: "every size" });
  }

  function allFigures(figures, parent) {
    const rows = Object.entries(figures);
    if (!rows.length) return false;
    folded(parent, count(rows.length, "figure", "figures") + " as a table", (details) => table(details,
      [{ head: "key", cell: (r) => r[0] }, { head: "value", cell: (r) => r[1] }], rows, { caption: "all figures" }), true);
  }

  /* ---- the whole ---- */

  function redraw() {
    charts.forEach((c) => c.draw());
  }
  function paper(printing) {
    root.classList.toggle("printing", printing); /* now: when the paper's own rules hold, it is too late to draw */
    document.querySelectorAll("details[data-paper]").forEach((d) => {
      if (printing) { d.dataset.was = d.open ? "open" : ""; d.fill(); }
      d.open = printing || d.dataset.was === "open";
    });
    redraw();
  }

  function draw() {
    const run = JSON.parse(document.getElementById("run").textContent), figures = objectOf(run.figures);
    head(run, figures);
    section("Latency over time", "latency", (box) => latencyOverTime(run, box));
    section("Percentiles", "percentiles", (box) => percentiles(run, box));
    section(new Set(rowsOf(run.steps).map((s) => s.rate)).size > 1 ? "The ladder" : "Steps", "steps", (box) => ladder(run, box));
    section("Throughput", "throughput", (box) => throughput(run, box));
    section("CPU", "cpu", (box) => cpuOverTime(run, box));
    section("Truth", "truth", (box) => truth(run, box));
    section("Cost against size", "scale", (box) => cost(run, box));
    section("All figures", "figures", (box) => allFigures(figures, box));
  }

  window.addEventListener("error", (event) => { root.dataset.error = event.message; });
  try {
    draw();
  } catch (error) {
    fail(main, error);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
  window.addEventListener("resize", () => charts.forEach((c) => c.fit()));
  window.addEventListener("load", () => { /* uPlot sets its sizes after the script */
    root.dataset.drawn = String(charts.length);
    root.dataset.height = String(root.scrollHeight);
  });
})();
